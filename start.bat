@echo off
rem Sets up what is missing, then opens the page: start.bat [--port 8002 --lang ja --with sage ...]
rem Needs no Python: uv brings one. Here uv is found or fetched; all else is done by src\eichi\setup.
setlocal EnableExtensions DisableDelayedExpansion
pushd "%~dp0"
set "python=.venv\Scripts\python.exe"
rem Another program's Python is none of ours; which one uv brings start.py says, unless one that is there is named.
set "PYTHONHOME="
set "PYTHONPATH="
if not exist "%UV_PYTHON%" set "UV_PYTHON="
set "uv="
set "code=1"
"%python%" start.py check %* >nul 2>&1
if "%errorlevel%"=="0" goto :open
call :find
call :language %*
rem The set-up's lock: where it cannot be made, nothing can.
set "why=start.uv.folder"
(type nul >>.venv.lock) 2>nul
if not exist .venv.lock goto :untold
set "why=start.uv.failed"
if not defined uv call :fetch
if not defined uv call :room
if not defined uv goto :untold
"%uv%" run --quiet --script start.py prepare %*
set "code=%errorlevel%"
if not "%code%"=="0" goto :failed
:open
"%python%" start.py open %*
set "code=%errorlevel%"
if not "%code%"=="0" goto :failed
popd
exit /b 0

:untold
call :say %why%
:failed
popd
rem A window that was opened for this would close on what it says.
pause
exit /b %code%

rem The program's own uv, else the user's, if it is new enough.
:find
for %%p in (.uv\uv.exe .uv\bin\uv.exe) do call :try "%%p"
rem What that keeps lies in this folder as well.
if defined uv if not defined UV_CACHE_DIR set "UV_CACHE_DIR=%cd%\.uv\cache"
if defined uv if not defined UV_PYTHON_INSTALL_DIR set "UV_PYTHON_INSTALL_DIR=%cd%\.uv\python"
for %%p in (uv.exe) do call :try "%%~$PATH:p"
call :try "%LOCALAPPDATA%\Microsoft\WinGet\Links\uv.exe"
call :try "%USERPROFILE%\.local\bin\uv.exe"
exit /b

:try
if defined uv exit /b
if not exist "%~1" exit /b
"%~1" pip install --help 2>nul | find "--torch-backend" >nul
if "%errorlevel%"=="0" set "uv=%~1"
exit /b

rem Into this folder by a pip that is there; by winget, for this user; by its own installer, into this folder.
:fetch
call :say start.uv
set "pip=-m pip install --quiet --disable-pip-version-check --upgrade --target .uv --only-binary :all:"
set "pip=%pip% --require-hashes --requirement install\uv.txt"
for %%p in ("py -3" python) do call :pip %%~p
if defined uv exit /b
winget install --exact --id astral-sh.uv --silent --accept-package-agreements --accept-source-agreements 2>nul
call :find
if defined uv exit /b
for /f "tokens=1,2 delims== " %%a in (install\uv.txt) do if "%%a"=="uv" set "version=%%b"
set "UV_UNMANAGED_INSTALL=%cd%\.uv"
powershell -NoProfile -ExecutionPolicy Bypass -Command "irm https://astral.sh/uv/%version%/install.ps1 | iex"
set "UV_UNMANAGED_INSTALL="
call :find
exit /b

rem Whether what kept uv away is a full disk: 64 million bytes, in tenths of a million.
:room
set "free="
for /f "tokens=3" %%a in ('dir /-c .') do set "free=%%a"
if not defined free exit /b
for /f "delims=0123456789" %%a in ("%free%") do exit /b
set "free=%free:~0,-6%"
if %free%0 lss 640 set "why=start.uv.room"
exit /b

rem An alias of the Store's stands for python.exe where there is none; it has no pip.
:pip
if defined uv exit /b
%* -m pip --version >nul 2>&1
if not "%errorlevel%"=="0" exit /b
%* %pip%
call :find
exit /b

rem The language that is asked for, else the program's, else the system's.
:language
set "asked=%EICHI_LANGUAGE%"
:next
if "%~1"=="--lang" set "asked=%~2"
shift
if not "%~1"=="" goto :next
if defined asked goto :known
for /f "tokens=3" %%a in ('reg query "HKCU\Control Panel\International" /v LocaleName 2^>nul') do set "asked=%%a"
:known
set "language=en"
if /i "%asked:~0,2%"=="ja" set "language=ja"
if /i "%asked:~0,2%"=="ru" set "language=ru"
if /i "%asked:~0,2%"=="zh" set "language=zh-TW"
exit /b

rem A sentence of the program.
:say
for /f "tokens=2 delims=:." %%c in ('chcp') do set "before=%%c"
chcp 65001 >nul
set "text="
for /f "usebackq tokens=1* delims=: " %%a in ("src\eichi\locales\%language%.json") do if "%%~a"=="%~1" set "text=%%b"
echo %text:~1,-2%
chcp %before% >nul
exit /b

@echo off
rem Sets up what is missing, then opens the page: start.bat [--port 8002 --lang ja ...]
cd /d "%~dp0"
if not exist .venv\Scripts\python.exe py -3 -m venv .venv || goto :failed
fc /b constraints.txt .venv\constraints.txt >nul 2>&1 && goto :start
.venv\Scripts\python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable . || goto :failed
copy /y constraints.txt .venv\constraints.txt >nul
:start
.venv\Scripts\eichi ui --inbrowser %*
goto :eof
:failed
echo The set-up failed; what is wrong stands above.
pause
exit /b 1

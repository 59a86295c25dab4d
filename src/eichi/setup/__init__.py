"""Setting the program up, with nothing but Python: before its libraries are there, and to mend torch afterwards.

All of it imports the standard library and `eichi.words`, and runs on a Python that uv has only just brought.
"""

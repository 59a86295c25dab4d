#!/usr/bin/env bash
# Sets up what is missing, then opens the page: ./start.sh [--port 8002 --lang ja …]
set -euo pipefail
cd "$(dirname "$0")"
make --silent .venv/ready
exec .venv/bin/eichi ui --inbrowser "$@"

#!/usr/bin/env bash
# Makes (or reuses) .venv at the repository root and installs the pinned stack.
# Safe to run twice: a finished environment is recognised and left alone.
#
#   bash tools/setup_env.sh [--torch VERSION] [--torch-index URL] [--find-links URL]
#                           [--requirements cpu|cuda118] [--force] [--help]
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: bash tools/setup_env.sh [options]

  --torch VERSION        torch to install (default 2.13.0)
  --torch-index URL      package index to take torch from, when the default
                         index does not hold the build you want (CPU or CUDA)
  --find-links URL       page with prebuilt mmcv wheels for that torch; without
                         it mmcv is compiled once and the wheel is cached
  --requirements NAME    cpu (default) or cuda118: requirements/NAME.txt
  --force                check and install again even if nothing has changed

Without --torch..., --find-links and --requirements an environment keeps the ones that it was made with.

  CLAP_CACHE_DIR         where built wheels are kept (default: ~/.cache/clap)
  CLAP_PYTHON            interpreter to use (default: python3.11, then python3)
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
kept="$root/.venv/.clap-options"
case " $* " in
  *" --torch"*|*" --find-links"*|*" --requirements"*) ;;
  *) [ ! -s "$kept" ] || eval "set -- $(cat "$kept")" '"$@"' ;;
esac
chosen=()
torch_version=2.13.0 torch_index="" find_links="" requirements=cpu force=0
while [ $# -gt 0 ]; do
  case "$1" in
    --torch) torch_version=$2; chosen+=("$1" "$2"); shift 2 ;;
    --torch-index) torch_index=$2; chosen+=("$1" "$2"); shift 2 ;;
    --find-links) find_links=$2; chosen+=("$1" "$2"); shift 2 ;;
    --requirements) requirements=$2; chosen+=("$1" "$2"); shift 2 ;;
    --force) force=1; shift ;;
    -h|--help) usage; exit 0 ;;
    *) echo "setup_env.sh: unknown option '$1'" >&2; usage >&2; exit 2 ;;
  esac
done

cd "$root"
venv="$root/.venv"
cache="${CLAP_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/clap}"
[ -f "requirements/$requirements.txt" ] || {
  echo "setup_env.sh: requirements/$requirements.txt does not exist; choose cpu or cuda118" >&2; exit 2; }

say() { printf '[setup %s] %s\n' "$(date +%H:%M:%S)" "$*"; }
die() { printf '[setup] error: %s\n' "$*" >&2; exit 1; }

# Runs a command with its output in a log, and says every 15 seconds how far it is.
# The command gets its own process group, so that an interrupt ends its children too.
mkdir -p "$cache/logs"
step() {
  local title=$1 log="$cache/logs/$2.log"; shift 2
  say "$title"
  set -m; "$@" >"$log" 2>&1 & local pid=$!; set +m
  local start=$SECONDS next=15
  trap 'kill -TERM -- -'$pid' 2>/dev/null || true; say "interrupted; run it again to go on"; exit 130' INT TERM
  while kill -0 $pid 2>/dev/null; do
    sleep 1
    if [ $((SECONDS - start)) -ge $next ]; then
      next=$((SECONDS - start + 15))
      say "  ... $((SECONDS - start)) s: $(tail -c 20000 "$log" | tr '\r' '\n' |
        grep -aoE '^ *\[[0-9]+/[0-9]+\]|^(Collecting|Downloading|Installing|Building|Using cached|Looking|Processing).{0,60}' | tail -n 1)"
    fi
  done
  trap - INT TERM
  wait $pid || { tail -n 25 "$log" >&2; die "'$title' failed; the whole output is in $log"; }
}

stamp="$venv/.clap-stamp"
want="$(cat requirements/*.txt tools/setup_env.sh | sha256sum | cut -c1-16) torch=$torch_version $requirements $torch_index"
if [ $force = 0 ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && "$venv/bin/python" -c '' 2>/dev/null; then
  say "environment is up to date: $venv"
  exit 0
fi

python=${CLAP_PYTHON:-}
if [ -z "$python" ]; then
  for p in python3.11 python3; do command -v "$p" >/dev/null && { python=$p; break; }; done
fi
[ -n "$python" ] || die "no Python found; install Python 3.11 or set CLAP_PYTHON"
"$python" -c 'import sys; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 12))' ||
  die "$("$python" --version) is not supported; 3.11 is what we test. Set CLAP_PYTHON to another interpreter"
command -v g++ >/dev/null || command -v c++ >/dev/null ||
  die "no C++ compiler found (mmcv's ops are compiled once); install gcc and g++"

"$venv/bin/python" -m pip --version >/dev/null 2>&1 || step "making $venv with $("$python" --version)" venv "$python" -m venv --clear "$venv"
pip=("$venv/bin/python" -m pip --disable-pip-version-check)

step "installing torch $torch_version" torch "${pip[@]}" install "torch==$torch_version" ${torch_index:+--index-url "$torch_index"}
# After torch, which may have moved setuptools past what mmcv can be built with.
step "installing build tools" build "${pip[@]}" install -r requirements/build.txt

tag=$("$venv/bin/python" -c 'import sys, torch; print(f"py{sys.version_info[0]}{sys.version_info[1]}-torch{torch.__version__}")')
wheels="$cache/wheels/$tag"
mmcv=$(sed -n 's/^mmcv==//p' requirements/mminstall.txt)
if [ -n "$find_links" ]; then
  step "installing the prebuilt mmcv $mmcv" mmcv "${pip[@]}" install --no-deps --force-reinstall "mmcv==$mmcv" --find-links "$find_links"
else
  if ! ls "$wheels"/mmcv-"$mmcv"-*.whl >/dev/null 2>&1; then
    mkdir -p "$wheels"
    # Built in a scratch folder and moved in whole, so that an interrupted build leaves no broken wheel.
    scratch=$(mktemp -d "$wheels/.build-XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    export MMCV_WITH_OPS=1 MAX_JOBS="${MAX_JOBS:-$(nproc)}"
    PATH="$venv/bin:$PATH" step "building mmcv $mmcv with ops: about 10 minutes on two cores, once per Python and torch" mmcv \
      "${pip[@]}" wheel -v --no-build-isolation --no-deps "mmcv==$mmcv" -w "$scratch"
    mv "$scratch"/mmcv-*.whl "$wheels/"
  else
    say "mmcv $mmcv: using the cached wheel in $wheels"
  fi
  step "installing mmcv $mmcv" mmcv-install "${pip[@]}" install --no-deps --force-reinstall "$wheels"/mmcv-"$mmcv"-*.whl
fi
step "installing mmengine, mmdet, mmdet3d" mm "${pip[@]}" install --no-deps \
  $(grep -E '^(mmengine|mmdet|mmdet3d)==' requirements/mminstall.txt)
step "installing the runtime packages" runtime "${pip[@]}" install -r "requirements/$requirements.txt" "torch==$torch_version"
step "installing the test tools" tests "${pip[@]}" install -r requirements/tests.txt
step "checking that everything imports" check "$venv/bin/python" -c 'import mmcv.ops, mmdet3d.models, spconv.pytorch, embreex'
[ ${#chosen[@]} = 0 ] && rm -f "$kept" || printf '%q ' "${chosen[@]}" > "$kept"
printf '%s' "$want" > "$stamp"
say "done: $venv"

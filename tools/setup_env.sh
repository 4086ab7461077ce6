#!/usr/bin/env bash
# Makes (or reuses) .venv at the repository root and installs the pinned stack.
# Safe to run twice: a finished environment is recognised and left alone.
#
#   bash tools/setup_env.sh [--cuda VERSION] [--torch VERSION] [--torch-index URL] [--find-links URL]
#                           [--requirements NAME] [--force] [--help]
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: bash tools/setup_env.sh [options]

  --cuda VERSION         for NVIDIA GPUs, e.g. 118 for CUDA 11.8: torch, mmcv and spconv of a
                         line of requirements/builds.txt, from the public pages of PyTorch
                         and OpenMMLab; without it: for the CPU

For mirrors and other versions; each replaces what the table says:

  --torch VERSION        torch to install
  --torch-index URL      package index to take torch from
  --find-links URL       page with prebuilt mmcv wheels for that torch; where there is
                         none mmcv is compiled once and the wheel is cached
  --requirements NAME    spconv of another line of the table (cpu, cuda118, ...), or
                         requirements/NAME.txt in place of runtime.txt and spconv

  --force                check and install again even if nothing has changed

Without options an environment keeps the ones that it was made with; with others it is made anew.

  CLAP_CACHE_DIR         where built wheels are kept (default: ~/.cache/clap)
  CLAP_PYTHON            interpreter to use (default: python3.11, then python3)
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
kept="$root/.venv/.clap-options"
case " $* " in
  *" --cuda"*|*" --torch"*|*" --find-links"*|*" --requirements"*) ;;
  *) [ ! -s "$kept" ] || eval "set -- $(cat "$kept")" '"$@"' ;;
esac
wrong() { echo "setup_env.sh: $*" >&2; exit 2; }
cuda="" torch="" torch_index="" find_links="" requirements="" force=0 chosen=""
while [ $# -gt 0 ]; do
  case "$1" in
    --cuda|--torch|--torch-index|--find-links|--requirements)
      [ $# -ge 2 ] || wrong "$1 needs a value"
      name=${1#--}; printf -v "${name//-/_}" %s "$2"
      chosen+=$(printf '%q ' "$1" "$2"); shift 2 ;;
    --force) force=1; shift ;;
    -h|--help) usage; exit 0 ;;
    *) usage >&2; wrong "unknown option '$1'" ;;
  esac
done

cd "$root"
venv="$root/.venv"
cache="${CLAP_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/clap}"

# The line of a build in the table, without its name; nothing if there is none.
line_of() { awk -v build="$1" '$1 == build { $1 = ""; print }' requirements/builds.txt; }
names=$(awk '/^[a-z]/ { print $1 }' requirements/builds.txt | paste -sd ' ' -)
build=${cuda:+cuda$cuda}
read -r torch_of_build pythons mmcv_is spconv <<<"$(line_of "${build:-cpu}")"
[ -n "$torch_of_build" ] ||
  wrong "no versions are known for --cuda $cuda; known are:$(sed 's/cpu//; s/cuda//g' <<<"$names") (requirements/builds.txt)"
[ -z "$torch" ] || pythons=3.9-3.12
torch=${torch:-$torch_of_build}
if [ -n "$cuda" ]; then
  torch_index=${torch_index:-https://download.pytorch.org/whl/cu$cuda}
  # Wheels of mmcv fit every patch release of a torch, and no other torch.
  [ "$mmcv_is ${torch%.*}" != "wheel ${torch_of_build%.*}" ] ||
    find_links=${find_links:-https://download.openmmlab.com/mmcv/dist/cu$cuda/torch${torch%.*}/index.html}
fi
packages=(-r requirements/runtime.txt "$spconv")
if [ -f "requirements/$requirements.txt" ]; then
  packages=(-r "requirements/$requirements.txt")
elif [ -n "$requirements" ]; then
  read -r _ _ _ spconv <<<"$(line_of "$requirements")"
  [ -n "$spconv" ] || wrong "neither requirements/$requirements.txt nor a line of requirements/builds.txt exists; choose one of: $names"
  packages=(-r requirements/runtime.txt "$spconv")
fi

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
want="$(cat requirements/*.txt tools/setup_env.sh | sha256sum | cut -c1-16) $chosen"
if [ $force = 0 ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && "$venv/bin/python" -c '' 2>/dev/null; then
  say "environment is up to date: $venv"
  exit 0
fi

python=${CLAP_PYTHON:-}
if [ -z "$python" ]; then
  for p in python3.11 python3; do command -v "$p" >/dev/null && { python=$p; break; }; done
fi
[ -n "$python" ] || die "no Python found; install Python 3.11 or set CLAP_PYTHON"
minor=$("$python" -c 'import sys; print(sys.version_info[1])')
[ "$minor" -ge "$(sed 's/3.//; s/-.*//' <<<"$pythons")" ] && [ "$minor" -le "${pythons##*.}" ] ||
  die "torch $torch is installed with Python $pythons, not 3.$minor; 3.11 is what we test. Set CLAP_PYTHON to another interpreter"
command -v g++ >/dev/null || command -v c++ >/dev/null ||
  die "no C++ compiler found (mmcv's ops are compiled once); install gcc and g++"
if [ -n "$cuda" ] && [ -z "$find_links" ] && ! ls "$cache"/wheels/py3"$minor"-torch"$torch"*/mmcv-*.whl >/dev/null 2>&1; then
  PATH="$PATH:${CUDA_HOME:-/usr/local/cuda}/bin" command -v nvcc >/dev/null ||
    die "there is no mmcv wheel for CUDA $cuda with torch $torch, and no nvcc to compile one: install that CUDA toolkit (CUDA_HOME" \
      "says where it is), or take a build with a wheel (requirements/builds.txt; a newer driver runs older CUDA versions)"
  export FORCE_CUDA=1  # mmcv leaves its GPU operators out where it is built without a GPU, as on a login node
fi

# Builds of spconv and torch for different CUDA versions overwrite each other's files: other options, another environment.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 || [ "$(cat "$kept" 2>/dev/null)" != "$chosen" ]; then
  step "making $venv with $("$python" --version)" venv "$python" -m venv --clear "$venv"
  printf '%s' "$chosen" > "$kept"
fi
pip=("$venv/bin/python" -m pip --disable-pip-version-check)

step "installing torch $torch" torch "${pip[@]}" install "torch==$torch" ${torch_index:+--index-url "$torch_index"}
# After torch, which may have moved setuptools past what mmcv can be built with.
step "installing build tools" build "${pip[@]}" install -r requirements/build.txt

tag=$("$venv/bin/python" -c 'import sys, torch; print(f"py{sys.version_info[0]}{sys.version_info[1]}-torch{torch.__version__}")')
wheels="$cache/wheels/$tag"
mmcv=$(sed -n 's/^mmcv==//p' requirements/mminstall.txt)
if [ -n "$find_links" ]; then
  step "installing the prebuilt mmcv $mmcv" mmcv "${pip[@]}" install --no-deps --force-reinstall --only-binary mmcv \
    "mmcv==$mmcv" --find-links "$find_links"
else
  if ! ls "$wheels"/mmcv-"$mmcv"-*.whl >/dev/null 2>&1; then
    mkdir -p "$wheels"
    # Built in a scratch folder and moved in whole, so that an interrupted build leaves no broken wheel.
    scratch=$(mktemp -d "$wheels/.build-XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    # Python's own flags ask for debug symbols, which are more than half of the work.
    export MMCV_WITH_OPS=1 MAX_JOBS="${MAX_JOBS:-$(nproc)}" CPPFLAGS="-g0 ${CPPFLAGS:-}"
    PATH="$venv/bin:$PATH" step "building mmcv $mmcv with ops: about 6 minutes on two cores, once per Python and torch" mmcv \
      "${pip[@]}" wheel -v --no-build-isolation --no-deps "mmcv==$mmcv" -w "$scratch"
    mv "$scratch"/mmcv-*.whl "$wheels/"
  else
    say "mmcv $mmcv: using the cached wheel in $wheels"
  fi
  step "installing mmcv $mmcv" mmcv-install "${pip[@]}" install --no-deps --force-reinstall "$wheels"/mmcv-"$mmcv"-*.whl
fi
step "installing mmengine, mmdet, mmdet3d" mm "${pip[@]}" install --no-deps \
  $(grep -E '^(mmengine|mmdet|mmdet3d)==' requirements/mminstall.txt)
step "installing the runtime packages" runtime "${pip[@]}" install "${packages[@]}" "torch==$torch"
step "installing the test tools" tests "${pip[@]}" install -r requirements/tests.txt
step "checking that everything imports" check "$venv/bin/python" -c 'import mmcv.ops, mmdet3d.models, spconv.pytorch, embreex'
printf '%s' "$want" > "$stamp"
say "done: $venv"

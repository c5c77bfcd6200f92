#!/usr/bin/env bash
# Finds or installs libtorch and the C++ tools, then configures and builds the native library.
# Prints nothing on success, one line when it installs packages, and errors in the form that MSBuild reads.
# usage: build.sh SOURCE_DIRECTORY BUILD_DIRECTORY [LIBTORCH_DIRECTORY [PROCESSOR_LEVEL]]
set -u
source_directory=$1
build_directory=$2
libtorch=${3:-}
processor_level=${4:-}

fail() { echo "LoraBuild.Torch : error $1: $2"; exit 1; }

mkdir -p "$build_directory"
# One build at a time: parallel builds of several solutions share this directory, and apt its database.
exec 9> "$build_directory/.lock"
flock 9

mentioned=false
packages=()

has_libtorch() {
    local candidate
    for candidate in /usr /usr/local; do
        [ -f "$candidate/include/ATen/core/Tensor.h" ] && compgen -G "$candidate/lib/*/libtorch_cpu.so" > /dev/null && return 0
        [ -f "$candidate/include/ATen/core/Tensor.h" ] && [ -f "$candidate/lib/libtorch_cpu.so" ] && return 0
    done
    return 1
}

can_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null && grep -qiE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release 2> /dev/null
}

install_packages() {
    local log="$build_directory/install.log"
    echo "LoraBuild.Torch: installing ${packages[*]} with apt-get (once for this machine)"
    export DEBIAN_FRONTEND=noninteractive
    {
        flock 8
        apt-get -qq -o DPkg::Lock::Timeout=600 update &&
        apt-get -qq -y -o DPkg::Lock::Timeout=600 --no-install-recommends install "${packages[@]}" < /dev/null
    } 8> /var/lock/lorabuild-apt.lock > "$log" 2>&1 && return 0
    sed 's/^/    /' "$log" | tail -40
    return 1
}

if [ -n "$libtorch" ]; then
    [ -f "$libtorch/include/ATen/core/Tensor.h" ] && [ -f "$libtorch/lib/libtorch_cpu.so" ] ||
        fail 'LB0951' "LIBTORCH=$libtorch holds no libtorch: include/ATen/core/Tensor.h and lib/libtorch_cpu.so were looked for. Give the directory of an unpacked libtorch or of a Python torch package, or unset LIBTORCH to use the system's."
elif ! has_libtorch; then
    packages+=(libtorch-dev libopenblas0-openmp)
fi
missing_tools=()
command -v cmake > /dev/null || missing_tools+=(cmake)
command -v c++ > /dev/null || missing_tools+=(g++)
command -v make > /dev/null || command -v ninja > /dev/null || missing_tools+=(make)
packages+=("${missing_tools[@]}")

if [ ${#packages[@]} -gt 0 ]; then
    command_line="apt-get install -y ${packages[*]}"
    code='LB0952'; what="The C++ tools ${missing_tools[*]} were not found, and the native library is compiled on this machine."
    if [[ " ${packages[*]} " == *" libtorch-dev "* ]]; then code='LB0951'; what="No libtorch was found (include/ATen/core/Tensor.h and libtorch_cpu.so under /usr and /usr/local)."; fi
    can_install || fail "$code" "$what On Debian or Ubuntu run as root: $command_line. Elsewhere install them, or set LIBTORCH to an unpacked libtorch."
    install_packages || fail "$code" "$what Installing failed (the output stands above). Run as root: apt-get update && $command_line"
    # Where several are installed, the threaded OpenBLAS has the higher priority; beside an OpenMP program it is three times slower.
    if [[ " ${packages[*]} " == *" libopenblas0-openmp "* ]]; then
        for library in libblas.so.3 liblapack.so.3 libopenblas.so.0; do
            for target in /usr/lib/*/openblas-openmp/"$library"; do
                [ -e "$target" ] || continue
                triplet=$(basename "$(dirname "$(dirname "$target")")")
                update-alternatives --set "$library-$triplet" "$target" > /dev/null 2>&1 || true
            done
        done
    fi
fi

generator=()
command -v ninja > /dev/null && generator=(-G Ninja)
log="$build_directory/cmake.log"
arguments=(-S "$source_directory" -B "$build_directory/cmake" -DCMAKE_BUILD_TYPE=Release "-DLIBTORCH=$libtorch" "-DOUTPUT_DIRECTORY=$build_directory" "-DPROCESSOR_LEVEL=$processor_level")
# A cache of another generator or of a moved source directory cannot be used again.
if ! cmake "${generator[@]}" "${arguments[@]}" > "$log" 2>&1; then
    rm -rf "$build_directory/cmake"
    cmake "${generator[@]}" "${arguments[@]}" > "$log" 2>&1 || { sed 's/^/    /' "$log" | tail -40; fail 'LB0953' "CMake could not configure the native library (the output stands above; the whole is in $log)."; }
fi
if ! cmake --build "$build_directory/cmake" --parallel "$(nproc)" >> "$log" 2>&1; then
    # Indented, so that MSBuild does not take the compiler's lines for its own twice over.
    grep -E -A4 'error|undefined reference' "$log" | sed -E 's/error:/error/; s/^/    /' | head -60
    fail 'LB0953' "The native library did not compile (the first errors stand above; the whole is in $log)."
fi

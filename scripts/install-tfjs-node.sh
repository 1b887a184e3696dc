#!/bin/sh
# Adds the optional tfjs-node engine: builds its binding against the native library of a PyPI TensorFlow wheel, since
# its own installer downloads from elsewhere. Linux x64, Node 20, with g++, unzip and Python's pip.
set -eu
cd "$(dirname "$0")/.."
tensorflow=2.15.1
package=node_modules/@tensorflow/tfjs-node
npm install --no-save --ignore-scripts --no-audit --no-fund @tensorflow/tfjs-node@4.22.0

wheel=$(mktemp -d)
trap 'rm -rf "$wheel"' EXIT
python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.11 --platform manylinux_2_17_x86_64 \
  --dest "$wheel" "tensorflow-cpu==$tensorflow"
unzip -q "$wheel"/*.whl 'tensorflow/libtensorflow_cc.so.2' 'tensorflow/libtensorflow_framework.so.2' \
  'tensorflow/include/tensorflow/c/*' 'tensorflow/include/tensorflow/core/platform/*' 'tensorflow/include/tsl/*' -d "$wheel"

rm -rf "$package/deps"
mkdir -p "$package/deps/lib"
mv "$wheel/tensorflow/include" "$package/deps/include"
mv "$wheel"/tensorflow/lib*.so.2 "$package/deps/lib/"
ln -s libtensorflow_cc.so.2 "$package/deps/lib/libtensorflow.so"
ln -s libtensorflow_framework.so.2 "$package/deps/lib/libtensorflow_framework.so"

node_home=$(node -p 'require("path").resolve(process.execPath, "../..")')
napi=$(node -p 'Math.min(8, process.versions.napi)')
mkdir -p "$package/lib/napi-v$napi"
g++ -O2 -std=c++17 -shared -fPIC -DNAPI_VERSION="$napi" -I"$node_home/include/node" -I"$package/deps/include" -I"$package/.." \
  "$package/binding/tfjs_backend.cc" "$package/binding/tfjs_binding.cc" -o "$package/lib/napi-v$napi/tfjs_binding.node" \
  -L"$package/deps/lib" -Wl,-rpath,'$ORIGIN/../../deps/lib' -ltensorflow -ltensorflow_framework
node bin/run.js doctor

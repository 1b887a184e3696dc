#!/bin/sh
# A NATS server, two workers and a sweep, each with a store of its own, as on four hosts. On other hosts: the same lines,
# another address.
# sh examples/5-remote.sh
set -eu
mlds=${MLDS:-npx mlds}
mine=$(dirname "$0")/1-one-file.ts
port=${PORT:-4222}
nats=nats://127.0.0.1:$port

$mlds nats up --port "$port" --store server 2> server.log & server=$!
# Workers run the experiments of mlds, and those that they are given.
$mlds worker start --nats "$nats" --slots 2 --store worker-1 --experiment "$mine" & one=$!
$mlds worker start --nats "$nats" --slots 2 --store worker-2 --experiment "$mine" & two=$!
# Workers first, so that what they run comes to an end.
trap 'kill $one $two; wait $one $two; kill $server; wait $server' EXIT
# Workers wait for a server; a sweep wants it there.
until grep -q 'NATS listens' server.log; do sleep 0.2; done

$mlds sweep params --profile smoke --nats "$nats"
$mlds verify latest
$mlds sweep "$mine" --set learningRate=0.01,0.1,0.5 --nats "$nats"
$mlds verify latest

#!/bin/sh
# A NATS server, two workers and a sweep, each with a store of its own, as on four hosts. On other hosts: the same lines,
# another address.
# sh examples/5-remote.sh
set -eu
mlds=${MLDS:-npx mlds}
mine=$(dirname "$0")/1-one-file.ts

$mlds nats up --port "${PORT:-4222}" --store server 2> server.log & server=$!
trap 'kill $server; wait $server' EXIT
# A sweep wants its server there; where that listens is told when it does.
until grep -qs 'NATS listens' server.log; do
  kill -0 $server 2> /dev/null || { cat server.log; exit 1; }
  sleep 0.2
done
nats=$(grep -o 'nats://[0-9.:]*' server.log | head -n 1)
# Workers run the experiments of mlds, and those that they are given.
$mlds worker start --nats "$nats" --slots 2 --store worker-1 --experiment "$mine" & one=$!
$mlds worker start --nats "$nats" --slots 2 --store worker-2 --experiment "$mine" & two=$!
# Workers first, so that what they run comes to an end.
trap 'kill $one $two; wait $one $two; kill $server; wait $server' EXIT

$mlds sweep params --profile smoke --nats "$nats"
$mlds verify latest
$mlds sweep "$mine" --set learningRate=0.01,0.1,0.5 --nats "$nats"
$mlds verify latest

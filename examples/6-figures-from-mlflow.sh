#!/bin/sh
# Figures rebuilt from what MLflow holds, byte for byte those drawn from the journal.
# MLFLOW_TRACKING_URI=http://127.0.0.1:5000 sh examples/6-figures-from-mlflow.sh    (mlds ui starts such a server)
set -eu
mlds=${MLDS:-npx mlds}

$mlds sweep params --profile smoke --name shown --track "$MLFLOW_TRACKING_URI"
# Another host has MLflow's address and nothing else.
$mlds figure --from "$MLFLOW_TRACKING_URI" --sweep shown --output rebuilt --store elsewhere
for figure in rebuilt/*.svg; do
  cmp "$figure" ".mlds/sweeps/shown/figures/$(basename "$figure")"
done
echo "$(ls rebuilt/*.svg | wc -l) figures are the same"

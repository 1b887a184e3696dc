// onnxruntime-node's install script loads `global-agent` before it does anything, and package.json puts this in its place.
// The script would download GPU parts that mlds never loads: here it ends.
process.exit(0)

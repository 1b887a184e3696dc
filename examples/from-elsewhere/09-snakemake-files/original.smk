LRS = [0.01, 0.1]

rule all:
    input: expand("scores/{lr}.json", lr=LRS)

rule train:
    output: "weights/{lr}/weights.txt"
    shell: "train --lr={wildcards.lr} --out={output}"

rule score:
    input: "weights/{lr}/weights.txt"
    output: "scores/{lr}.json"
    shell: "score --weights={input} > {output}"

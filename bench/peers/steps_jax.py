"""The same in JAX: one jitted scan over the steps of a call, on one thread; dense nets only."""
import os, sys, time
# XLA's thunks run on a pool of threads, one for each processor that the process may use, whatever the flags say.
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
import jax, jax.numpy as jnp

regression = lambda hidden, batch, steps: ([1, *hidden, 1], .1, batch, steps, "mse")
digits = lambda hidden, slope, batch, steps: ([784, *hidden, 10], slope, batch, steps, "ce")
WORKS = {
    "m1": regression([5] + [10] * 11 + [5, 4], 300, 33),
    "m2": regression([4, 9, 16, 25, 16, 9, 4], 300, 33),
    "m4": regression([417], 300, 33),
    "grad411": regression([4, 9, 16, 9, 4], 200, 50),
    "shuffled": digits([256], 0., 100, 40),
    "inter": digits([256, 256], .2, 100, 40),
    "inter1000": digits([256, 256], .2, 1000, 4),
}

def prepare(name):
    sizes, slope, batch, steps, kind = WORKS[name]
    keys = jax.random.split(jax.random.PRNGKey(0), len(sizes))
    p = [(jax.random.normal(k, (a, b)) * (1 / a) ** .5, jnp.zeros(b)) for k, a, b in zip(keys, sizes, sizes[1:])]
    rows = batch * steps
    x = jax.random.uniform(keys[-1], (rows, sizes[0]))
    y = jnp.arange(rows) % 10 if kind == "ce" else jnp.sin(6 * x)
    def loss(p, x, y):
        for w, b in p[:-1]:
            x = x @ w + b
            x = jnp.where(x > 0, x, slope * x)
        out = x @ p[-1][0] + p[-1][1]
        if kind == "mse": return jnp.mean((out - y) ** 2)
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(out), y[:, None], 1))
    def step(state, rows):
        p, m, v, t = state
        value, g = jax.value_and_grad(loss)(p, x[rows], y[rows])
        t = t + 1
        m = jax.tree.map(lambda m, g: .9 * m + .1 * g, m, g)
        v = jax.tree.map(lambda v, g: .999 * v + .001 * g * g, v, g)
        p = jax.tree.map(lambda p, m, v: p - 1e-3 * (m / (1 - .9 ** t)) / (jnp.sqrt(v / (1 - .999 ** t)) + 1e-7), p, m, v)
        return (p, m, v, t), value
    run = jax.jit(lambda state, order: jax.lax.scan(step, state, order))
    zeros = jax.tree.map(jnp.zeros_like, p)
    return run, (p, zeros, zeros, 0.), jnp.arange(rows).reshape(steps, batch), steps

ready = {}
for line in sys.stdin:
    name = line.strip()
    if name not in WORKS:
        print("nan", flush=True)
        continue
    if name not in ready:
        ready[name] = prepare(name)
        jax.block_until_ready(ready[name][0](ready[name][1], ready[name][2]))
    run, state, order, steps = ready[name]
    start, calls = time.perf_counter(), 0
    # A single call of a small net would measure how cold the processor became while others were measured.
    while calls == 0 or time.perf_counter() - start < .05:
        jax.block_until_ready(run(state, order))
        calls += 1
    print((time.perf_counter() - start) / (calls * steps) * 1e6, flush=True)

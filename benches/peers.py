"""The peers' side of assign_grpo.sh: the same job as Polars and DuckDB queries.

    peers.py polars|duckdb <threads> <input> <output>   one warm-up, one timed run; prints seconds
    peers.py check <tolerance> <output>...              all outputs hold the same advantages
    peers.py shape <input>                              prints rollouts and tokens
"""

import os
import sys
import time

EPS = 1e-6
KEYS = ["iteration", "group_id", "rollout_id"]


def run_polars(threads, source, target):
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    group = ["iteration", "group_id"]

    def query():
        reward = pl.col("reward")
        centered = reward - reward.mean().over(group)
        advantage = centered / (reward.std(ddof=1).over(group) + EPS)
        mask = pl.col("token_mask").cast(pl.List(pl.Float32))
        tokens = (mask * advantage.cast(pl.Float32)).alias("token_advantages")
        rows = pl.scan_parquet(source).select(*KEYS, tokens)
        rows.sink_parquet(target, compression="zstd", compression_level=1)

    return query


def run_duckdb(threads, source, target):
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}")
    connection.execute("SET preserve_insertion_order = false")
    query_text = f"""
        COPY (
            WITH scored AS (
                SELECT iteration, group_id, rollout_id, token_mask,
                       ((reward - avg(reward) OVER peers)
                        / (stddev_samp(reward) OVER peers + {EPS}))::FLOAT AS advantage
                FROM read_parquet('{source}')
                WINDOW peers AS (PARTITION BY iteration, group_id)
            )
            SELECT iteration, group_id, rollout_id,
                   list_transform(token_mask, lambda m: m::FLOAT * advantage) AS token_advantages
            FROM scored
        ) TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)
    """
    return lambda: connection.execute(query_text)


def check(tolerance, outputs):
    import polars as pl

    tables = [pl.read_parquet(path, columns=[*KEYS, "token_advantages"]).sort(KEYS) for path in outputs]
    first, name = tables[0], outputs[0]
    for other, path in zip(tables[1:], outputs[1:]):
        if not first.select(KEYS).equals(other.select(KEYS)):
            sys.exit(f"{name} and {path} hold different rollouts")
        lengths = [table["token_advantages"].list.len() for table in (first, other)]
        if not lengths[0].equals(lengths[1], check_dtypes=False):
            sys.exit(f"{name} and {path} hold lists of different lengths")
        a, b = (table["token_advantages"].explode() for table in (first, other))
        worst = (a - b).abs().max()
        if a.null_count() or b.null_count() or worst is None or not worst <= tolerance:
            sys.exit(f"{name} and {path} differ by {worst}")
    tokens = first["token_advantages"].list.len().sum()
    print(f"{len(outputs)} outputs agree within {tolerance} on {len(first)} rollouts, {tokens} tokens")


def main():
    name, *arguments = sys.argv[1:]
    if name == "check":
        return check(float(arguments[0]), arguments[1:])
    threads, source, target = arguments
    make = {"polars": run_polars, "duckdb": run_duckdb}[name]
    query = make(int(threads), source, target)
    query()
    begin = time.perf_counter()
    query()
    print(time.perf_counter() - begin)


main()

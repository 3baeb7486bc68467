"""The peers' side of assign_grpo.sh: the same job as a Polars and a DuckDB query.

    peers.py polars|duckdb lean|full <threads> <input> <output>
    peers.py check <tolerance> <output>...

The first form runs the query twice in one process and prints the seconds of both. `lean` writes
the keys and token_advantages; `full` writes every column that meed fills in its table of
advantages. The second form compares outputs, row by row and token by token.
"""

import os
import sys
import time

EPS = 1e-6
GROUP = ["iteration", "group_id"]
KEYS = [*GROUP, "rollout_id"]


def polars_query(full, threads, source, target):
    os.environ["POLARS_MAX_THREADS"] = threads
    import polars as pl

    def query():
        reward = pl.col("reward")
        centered = reward - reward.mean().over(GROUP)
        advantage = centered / (reward.std(ddof=1).over(GROUP) + EPS)
        mask = pl.col("token_mask").cast(pl.List(pl.Float32))
        tokens = mask * advantage.cast(pl.Float32)
        columns = [*KEYS, tokens.alias("token_advantages")]
        if full:
            trained = pl.col("token_mask").list.any() & reward.is_not_null()
            columns += [
                pl.lit("grpo").alias("recipe"),
                pl.lit("{}").alias("parameters"),
                trained.alias("in_baseline"),
                trained.alias("in_loss"),
            ]
        rows = pl.scan_parquet(source).select(columns)
        rows.sink_parquet(target, compression="zstd", compression_level=1)

    return query


def duckdb_query(full, threads, source, target):
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}")
    connection.execute("SET preserve_insertion_order = false")
    more = """,
        'grpo' AS recipe, '{}' AS parameters,
        list_contains(token_mask, true) AND reward IS NOT NULL AS in_baseline,
        list_contains(token_mask, true) AND reward IS NOT NULL AS in_loss"""
    query = f"""
        COPY (
            WITH scored AS (
                SELECT iteration, group_id, rollout_id, token_mask, reward,
                       ((reward - avg(reward) OVER peers)
                        / (stddev_samp(reward) OVER peers + {EPS}))::FLOAT AS advantage
                FROM read_parquet('{source}')
                WINDOW peers AS (PARTITION BY iteration, group_id)
            )
            SELECT iteration, group_id, rollout_id,
                   list_transform(token_mask, lambda m: m::FLOAT * advantage) AS token_advantages
                   {more if full else ""}
            FROM scored
        ) TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)
    """
    return lambda: connection.execute(query)


def check(tolerance, outputs):
    import polars as pl

    columns = [*KEYS, "token_advantages"]
    tables = [pl.read_parquet(path, columns=columns).sort(KEYS) for path in outputs]
    lists = [table["token_advantages"] for table in tables]
    for path, table, tokens in zip(outputs[1:], tables[1:], lists[1:]):
        both = f"{outputs[0]} and {path}"
        if not tables[0].select(KEYS).equals(table.select(KEYS)):
            sys.exit(f"{both} hold different rollouts")
        if not (lists[0].list.len() == tokens.list.len()).all():
            sys.exit(f"{both} hold lists of different lengths")
        first, other = lists[0].explode(), tokens.explode()
        worst = (first - other).abs().max()
        if first.null_count() or other.null_count() or not worst <= tolerance:
            sys.exit(f"{both} differ by {worst}")
    count = lists[0].list.len().sum()
    print(f"{len(outputs)} outputs agree within {tolerance}: {len(tables[0])} rollouts, {count} tokens")


def main():
    name, *arguments = sys.argv[1:]
    if name == "check":
        return check(float(arguments[0]), arguments[1:])
    output, *arguments = arguments
    make = {"polars": polars_query, "duckdb": duckdb_query}[name]
    query = make({"lean": False, "full": True}[output], *arguments)
    for _ in range(2):
        begin = time.perf_counter()
        query()
        print(time.perf_counter() - begin)


main()

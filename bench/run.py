#!/usr/bin/env python3
"""Runs every benchmark and prints its table; --output FILE keeps the figures as JSON."""

import argparse
import json
import os
import platform

import commits
import fold
import history
import kafka
import latency
import load
import lookup
import mariadb
import nhanes
import postgres
import push
import scan


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lockstep", required=True)
    parser.add_argument("--output", help="a JSON file for the figures")
    options = parser.parse_args()
    lockstep = os.path.abspath(options.lockstep)
    results = {"machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}}
    for module in (nhanes, commits, fold, lookup, scan, load, history, postgres, latency, mariadb, kafka, push):
        results[module.__name__] = module.run(lockstep)
        print(module.table(results[module.__name__]) + "\n", flush=True)
    if options.output:
        with open(options.output, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=2)
    else:
        print(json.dumps(results))


if __name__ == "__main__":
    main()

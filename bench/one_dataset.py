"""The configuration of benchmarks that fill one dataset from CSV files: `features` numbers a row, and a model of them all."""


def configuration(features, hub, model=""):
    """`hub`: its settings beside catalog and data; `model`: more lines of the model."""
    names = [f"x{i}" for i in range(features)]
    return f"""
hub: {{catalog: "sqlite:hub/catalog.sqlite", data: hub/data, {hub}}}
sources:
  drop: {{type: files, path: "in/*.csv", mode: upsert}}
datasets:
  rows:
    from: [drop]
    key: [id]
    columns: {{id: int, {", ".join(f"{name}: float" for name in names)}, y: float}}
    train:
      - split: {{by: id, test: 0.2}}
models:
  m:
    dataset: rows
    features: [{", ".join(names)}]
    targets: [y]
    expand: [impute: {{with: mean}}, standardize]
    learner: {{type: ridge, l2: 1}}
{model}"""

# SPDX-License-Identifier: Apache-2.0
#
# test_plot.py: plot.py draws every point inside the picture, higher values above lower ones, and
# cpu_split.py puts samples where they belong.
import json
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as tree

HERE = pathlib.Path(__file__).parent
SVG = "{http://www.w3.org/2000/svg}"


def run(script, *arguments, stdin=""):
    return subprocess.run(
        [sys.executable, HERE / script, *arguments], input=stdin, capture_output=True, text=True
    )


def plot(sizes):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"machine": "2 CPUs", "rows": [], "sizes": sizes}, file)
        file.flush()
        return run("plot.py", file.name)


def check_plot():
    few = {"contexts": 1000, "us": 25.0, "read": 14.0, "list": 240.0, "p50": 1800, "p99": 5000, "p999": 9000}
    many = {"contexts": 10000000, "us": 50.0, "read": 15.0, "list": 250.0, "p50": 1900, "p99": 9000,
            "p999": 12000, "batch": 250000}
    result = plot([few, many])
    assert result.returncode == 0, result.stderr
    picture = tree.fromstring(result.stdout)
    _, _, width, height = map(float, picture.get("viewBox").split())
    points = {}
    for circle in picture.iter(f"{SVG}circle"):
        x, y = float(circle.get("cx")), float(circle.get("cy"))
        assert 0 < x < width and 0 < y < height, (x, y)
        points[circle.find(f"{SVG}title").text] = (x, y)
    assert len(points) == 13, points
    # Half as fast is lower and further right; a longer time is higher.
    assert points["creates: 40000 at 1000"][1] < points["creates: 20000 at 10000000"][1]
    assert points["creates: 40000 at 1000"][0] < points["creates: 20000 at 10000000"][0]
    assert points["p99: 5000 at 1000"][1] > points["p99: 9000 at 10000000"][1]
    assert plot([few]).returncode == 0
    assert plot([]).returncode != 0


def check_split():
    samples = """
    30.00%|engine|[kernel.kallsyms]|[k] fsync
    20.00%|worker-0|[kernel.kallsyms]|[k] tcp_sendmsg
    25.00%|worker-0|libgnutls.so.30.34.3|[.] gnutls_record_send
    15.00%|engine|libsqlite3.so.0.8.6|[.] sqlite3_step
    10.00%|engine|sa-contextd|[.] nobody_knows.part.0
    """
    with tempfile.TemporaryDirectory() as build:
        result = run("cpu_split.py", build, stdin=samples)
    assert result.returncode == 0, result.stderr
    parts = dict(reversed(line.split("|")) for line in result.stdout.splitlines())
    assert parts == {
        "kernel, for the store": "30.00", "kernel, for the network": "20.00", "TLS": "25.00",
        "store": "15.00", "the rest": "10.00",
    }, parts


check_plot()
check_split()
print("plot: all as it should be")

"""Loads the models of models.py from a place, each by a process of its own, and prints a line of JSON for each.

loaders.py PLACE [TITLE]: with a title that one only, in this process. Titles are those of docs/loaders.md.
"""

import glob
import importlib.metadata
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings

LOADERS = {}
COMMIT = "a" * 40


def loader(title, package=None):
    """Registers a function that gets the place, without a slash at its end, and returns what the model says."""

    def register(function):
        LOADERS[title] = (function, package)
        return function

    return register


def inputs():
    import numpy as np

    return np.random.default_rng(0).random((60, 4)).astype("float32")


def some(values):
    import numpy as np

    return [round(float(value), 4) for value in np.asarray(values).ravel()[:3]]


# Trees.


def booster(source):
    import xgboost

    model = xgboost.Booster()
    model.load_model(source)
    return some(model.predict(xgboost.DMatrix(inputs())))


@loader("xgboost, `Booster.load_model` of json", "xgboost-cpu")
def _(place):
    return booster(f"{place}/xgb.json")


@loader("xgboost, `Booster.load_model` of ubj", "xgboost-cpu")
def _(place):
    return booster(f"{place}/xgb.ubj")


@loader("xgboost, `XGBClassifier.load_model`", "xgboost-cpu")
def _(place):
    import xgboost

    model = xgboost.XGBClassifier()
    model.load_model(f"{place}/model.json")
    return some(model.predict(inputs()))


@loader("xgboost, `load_model(bytearray(open(path, 'rb').read()))`", "xgboost-cpu")
def _(place):
    with open(f"{place}/xgb.ubj", "rb") as file:
        return booster(bytearray(file.read()))


@loader("xgboost, a classifier by joblib", "xgboost-cpu")
def _(place):
    import joblib

    return some(joblib.load(f"{place}/joblib/xgb.joblib").predict(inputs()))


@loader("lightgbm, `Booster(model_file=path)`", "lightgbm")
def _(place):
    import lightgbm

    return some(lightgbm.Booster(model_file=f"{place}/lgb.txt").predict(inputs()))


@loader("catboost, `load_model`", "catboost")
def _(place):
    import catboost

    return some(catboost.CatBoostClassifier().load_model(f"{place}/cat.cbm").predict(inputs(), prediction_type="Probability"))


@loader("treelite, `Model.deserialize`", "treelite")
def _(place):
    import treelite

    return treelite.Model.deserialize(f"{place}/treelite.bin").num_tree


@loader("treelite, `frontend.load_xgboost_model`", "treelite")
def _(place):
    import treelite

    return treelite.frontend.load_xgboost_model(f"{place}/xgb.json").num_tree


@loader("treelite, `Model.deserialize_bytes`", "treelite")
def _(place):
    import treelite

    with open(f"{place}/treelite.bin", "rb") as file:
        return treelite.Model.deserialize_bytes(file.read()).num_tree


@loader("treelite, `frontend.from_xgboost` of a model of bytes", "treelite")
def _(place):
    import treelite
    import xgboost

    model = xgboost.Booster()
    with open(f"{place}/xgb.ubj", "rb") as file:
        model.load_model(bytearray(file.read()))
    return treelite.frontend.from_xgboost(model).num_tree


@loader("tl2cgen, `Predictor`", "tl2cgen")
def _(place):
    import tl2cgen

    return some(tl2cgen.Predictor(f"{place}/tl2.so", nthread=1).predict(tl2cgen.DMatrix(inputs())))


# scikit-learn and NumPy.


@loader("scikit-learn, joblib", "scikit-learn")
def _(place):
    import joblib

    return some(joblib.load(f"{place}/model.joblib").predict(inputs()))


@loader("scikit-learn, joblib, compressed", "scikit-learn")
def _(place):
    import joblib

    return some(joblib.load(f"{place}/model.joblib.gz").predict(inputs()))


@loader("scikit-learn, joblib with `mmap_mode`", "scikit-learn")
def _(place):
    import joblib

    return some(joblib.load(f"{place}/model.joblib", mmap_mode="r").predict(inputs()))


@loader("scikit-learn, pickle", "scikit-learn")
def _(place):
    with open(f"{place}/model.pkl", "rb") as file:
        return some(pickle.load(file).predict(inputs()))


@loader("skops, `io.load`", "skops")
def _(place):
    import skops.io

    return some(skops.io.load(f"{place}/model.skops").predict(inputs()))


@loader("numpy, `load` with `mmap_mode`", "numpy")
def _(place):
    import numpy

    return some(numpy.load(f"{place}/a.npy", mmap_mode="r"))


@loader("h5py", "h5py")
def _(place):
    import h5py

    return some(h5py.File(f"{place}/x.h5")["x"])


# ONNX and what reads it.


def session(model, options=None):
    import onnxruntime

    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return some(session.run(None, {"x": inputs()})[0])


@loader("onnxruntime, a model in one file", "onnxruntime")
def _(place):
    return session(f"{place}/one-file.onnx")


@loader("onnxruntime, a model with external data", "onnxruntime")
def _(place):
    return session(f"{place}/external.onnx")


@loader("onnxruntime, bytes and `add_external_initializers_from_files_in_memory`", "onnxruntime")
def _(place):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    with open(f"{place}/external.data", "rb") as file:
        data = file.read()
    options.add_external_initializers_from_files_in_memory(["external.data"], [data], [len(data)])
    with open(f"{place}/external.onnx", "rb") as file:
        return session(file.read(), options)


def weights(model):
    return len(model.graph.initializer[0].raw_data)


@loader("onnx, `load` of one file", "onnx")
def _(place):
    import onnx

    return weights(onnx.load(f"{place}/one-file.onnx"))


@loader("onnx, `load` with external data", "onnx")
def _(place):
    import onnx

    return weights(onnx.load(f"{place}/external.onnx"))


@loader("onnx, `checker.check_model` with external data", "onnx")
def _(place):
    import onnx

    return onnx.checker.check_model(f"{place}/external.onnx")


@loader("onnx, `load(path, load_external_data=False)`", "onnx")
def _(place):
    import onnx

    return weights(onnx.load(f"{place}/external.onnx", load_external_data=False))


def compiled(path):
    import openvino

    core = openvino.Core()
    return some(core.compile_model(core.read_model(path), "CPU")(inputs())[0])


@loader("openvino, IR", "openvino")
def _(place):
    return compiled(f"{place}/ir.xml")


@loader("openvino, ONNX in one file", "openvino")
def _(place):
    return compiled(f"{place}/one-file.onnx")


@loader("openvino, ONNX with external data", "openvino")
def _(place):
    return compiled(f"{place}/external.onnx")


# Texts and tensors.


@loader("tokenizers, `from_file`", "tokenizers")
def _(place):
    import tokenizers

    return tokenizers.Tokenizer.from_file(f"{place}/tokenizer.json").encode("hello world").ids


@loader("sentencepiece", "sentencepiece")
def _(place):
    import sentencepiece

    return sentencepiece.SentencePieceProcessor(model_file=f"{place}/spm.model").encode("hello world")


@loader("safetensors, `load_file`", "safetensors")
def _(place):
    from safetensors.numpy import load_file

    return some(load_file(f"{place}/x.safetensors")["x"])


@loader("faiss, `read_index`", "faiss-cpu")
def _(place):
    import faiss

    return faiss.read_index(f"{place}/faiss.index").ntotal


@loader("gguf, `GGUFReader`", "gguf")
def _(place):
    import gguf

    return [tensor.name for tensor in gguf.GGUFReader(f"{place}/t.gguf").tensors]


@loader("huggingface_hub, `hf_hub_download` from a cache in the model", "huggingface_hub")
def _(place):
    import huggingface_hub

    path = huggingface_hub.hf_hub_download("me/tiny", "config.json", cache_dir=f"{place}/hub", local_files_only=True)
    with open(path) as file:
        return file.read()


@loader("huggingface_hub, the cache's snapshot by its own path", "huggingface_hub")
def _(place):
    with open(f"{place}/hub/models--me--tiny/snapshots/{COMMIT}/config.json") as file:
        return file.read()


def mlflow_model(path):
    import mlflow

    return some(mlflow.pyfunc.load_model(path).predict(inputs()))


@loader("mlflow, `pyfunc.load_model('/mnt/models')`", "mlflow")
def _(place):
    return mlflow_model(place)


@loader("mlflow, `pyfunc.load_model('/mnt/models/')`, with a slash", "mlflow")
def _(place):
    return mlflow_model(f"{place}/")


@loader("mlflow, `pyfunc.load_model` of a sub-folder", "mlflow")
def _(place):
    return mlflow_model(f"{place}/mlflow")


# Servers.


def mlserver(place, implementation, uri):
    """Asks a server that is configured as KServe's runtimes are; what it says when it ends instead."""
    address = "http://127.0.0.1:8080/v2/models/m"
    settings = {
        "MLSERVER_MODEL_IMPLEMENTATION": implementation,
        "MLSERVER_MODEL_NAME": "m",
        "MLSERVER_MODEL_URI": uri,
        "MLSERVER_MODELS_DIR": place,
        "MLSERVER_PARALLEL_WORKERS": "0",
        "MLSERVER_METRICS_DIR": tempfile.mkdtemp(),
    }
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [0.1, 0.2, 0.3, 0.4]}
    question = urllib.request.Request(
        f"{address}/infer", json.dumps({"inputs": [tensor]}).encode(), {"Content-Type": "application/json"}
    )
    with tempfile.TemporaryFile("w+") as log:
        command = [f"{os.environ['MLSERVER_VENV']}/bin/mlserver", "start", place]
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | settings)
        try:
            while server.poll() is None:
                try:
                    with urllib.request.urlopen(question, timeout=10) as answer:
                        return json.load(answer)["outputs"][0]["data"]
                except OSError:
                    time.sleep(0.5)
        finally:
            server.kill()
            server.wait()
        log.seek(0)
        lines = [line.strip() for line in log if "Couldn't load" in line or "rror: " in line]
        raise RuntimeError(f"{' / '.join(lines)}; the server ended with status {server.returncode}")


@loader("MLServer with mlserver-sklearn", "mlserver")
def _(place):
    return mlserver(place, "mlserver_sklearn.SKLearnModel", place)


@loader("MLServer with mlserver-xgboost", "mlserver")
def _(place):
    return mlserver(place, "mlserver_xgboost.XGBoostModel", place)


# What loaders are made of, and people.


@loader("`os.path.realpath(path, strict=True)`")
def _(place):
    return os.path.exists(os.path.realpath(f"{place}/config.json", strict=True))


@loader("`os.walk`, `glob`")
def _(place):
    names = sum(len(files) for _, _, files in os.walk(place))
    return [names, len(glob.glob(f"{place}/**", recursive=True))]


@loader("`os.fwalk('/mnt/models')`")
def _(place):
    found = sum(len(files) for _, _, files, _ in os.fwalk(place))
    assert found, "nothing, and no error"
    return found


@loader("`os.fwalk('/mnt/models/')`, with a slash")
def _(place):
    return sum(len(files) for _, _, files, _ in os.fwalk(f"{place}/"))


def lines(*command):
    return len(subprocess.run(command, capture_output=True, check=True).stdout.splitlines())


@loader("`find /mnt/models`")
def _(place):
    found = lines("find", place)
    assert found > 1, "the link alone"
    return found


@loader("`find /mnt/models/`, with a slash")
def _(place):
    return lines("find", f"{place}/")


@loader("`cp -a /mnt/models DIRECTORY`")
def _(place):
    to = tempfile.mkdtemp()
    subprocess.run(["cp", "-a", place, f"{to}/copy"], check=True)
    assert not os.path.islink(f"{to}/copy"), "the link alone"
    return len(os.listdir(f"{to}/copy"))


@loader("`cp -a /mnt/models/. DIRECTORY`")
def _(place):
    to = tempfile.mkdtemp()
    subprocess.run(["cp", "-a", f"{place}/.", to], check=True)
    return len(os.listdir(to))


@loader("`shutil.copytree`")
def _(place):
    import shutil

    to = tempfile.mkdtemp()
    shutil.copytree(f"{place}/hub", f"{to}/copy")
    return os.listdir(f"{to}/copy")


@loader("`mmap`")
def _(place):
    import mmap

    with open(f"{place}/a.npy", "rb") as file:
        return len(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


@loader("`import` of a module in the model")
def _(place):
    sys.path.insert(0, place)
    return __import__("module").answer


@loader("a relative symbolic link in the model")
def _(place):
    with open(f"{place}/relative") as file:
        return file.read()


@loader("an absolute symbolic link in the model, to `/models/...`")
def _(place):
    with open(f"{place}/absolute") as file:
        return file.read()


@loader("`os.getcwd()` after `chdir('/mnt/models')`")
def _(place):
    os.chdir(place)
    return os.path.exists(os.getcwd())


@loader("`sqlite3.connect` of a file in the model")
def _(place):
    import sqlite3

    return sqlite3.connect(f"file:{place}/some.sqlite?mode=ro", uri=True).execute("select * from t").fetchall()


@loader("`sqlite3`, `deserialize` of its bytes")
def _(place):
    import sqlite3

    database = sqlite3.connect(":memory:")
    with open(f"{place}/some.sqlite", "rb") as file:
        database.deserialize(file.read())
    return database.execute("select * from t").fetchall()


def version(package):
    """Of a package here, or of one that a server has."""
    paths = [*sys.path, *glob.glob(f"{os.environ['MLSERVER_VENV']}/lib/python*/site-packages")]
    return next(iter(importlib.metadata.distributions(name=package, path=paths))).version


def main(place, title=None):
    if title is None:
        for title, (_, package) in LOADERS.items():
            line = {"title": title, "version": version(package) if package else ""}
            try:
                done = subprocess.run(
                    [sys.executable, __file__, place, title], capture_output=True, text=True, timeout=300, cwd="/tmp"
                )
                last = (done.stdout.splitlines() or [""])[-1]
                line |= json.loads(last) if last.startswith("{") else {"error": f"{done.returncode}: {done.stderr[-300:]}"}
            except subprocess.TimeoutExpired:
                line |= {"error": "no answer in 300 s"}
            print(json.dumps(line), flush=True)
        return
    warnings.simplefilter("ignore")
    try:
        result = {"value": LOADERS[title][0](place)}
    except BaseException as error:  # whatever a loader raises is what it says
        result = {"error": f"{type(error).__name__}: {error}"}
    print("\n" + json.dumps(result, default=str), flush=True)
    os._exit(0)  # some libraries' threads have no end


if __name__ == "__main__":
    main(*sys.argv[1:])

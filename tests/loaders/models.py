"""Makes tiny models of many formats in a folder: models.py FOLDER."""

import json
import os
import pickle
import shutil
import sqlite3
import sys
from pathlib import Path

import numpy as np

folder = Path(sys.argv[1])
folder.mkdir(parents=True)
os.chdir(folder)
rng = np.random.default_rng(0)
X = rng.random((60, 4)).astype("float32")
y = (X[:, 0] > 0.5).astype(int)


def trees():
    import catboost
    import lightgbm
    import tl2cgen
    import treelite
    import xgboost

    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 2}, xgboost.DMatrix(X, y), 3)
    booster.save_model("xgb.json")
    booster.save_model("xgb.ubj")
    classifier = xgboost.XGBClassifier(n_estimators=3, max_depth=2).fit(X, y)
    classifier.save_model("model.json")  # the name that MLServer looks for
    os.mkdir("joblib")
    __import__("joblib").dump(classifier, "joblib/xgb.joblib")
    lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(X, y), 3).save_model("lgb.txt")
    settings = {"iterations": 3, "depth": 2, "verbose": False, "allow_writing_files": False}
    catboost.CatBoostClassifier(**settings).fit(X, y).save_model("cat.cbm")
    model = treelite.frontend.load_xgboost_model("xgb.json")
    model.serialize("treelite.bin")
    tl2cgen.export_lib(model, toolchain="gcc", libpath="./tl2.so", params={})


def sklearn():
    import joblib
    import skops.io
    from sklearn.svm import SVC

    model = SVC().fit(X, y)
    joblib.dump(model, "model.joblib")
    joblib.dump(model, "model.joblib.gz", compress=3)
    with open("model.pkl", "wb") as file:
        pickle.dump(model, file)
    skops.io.dump(model, "model.skops")
    np.save("a.npy", X)


def onnx():
    import onnx
    import openvino
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(rng.random((4, 512)).astype("float32"), "w")
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 4])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 512])]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "g", inputs, outputs, [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, "one-file.onnx")
    openvino.save_model(openvino.Core().read_model("one-file.onnx"), "ir.xml")
    onnx.save_model(model, "external.onnx", save_as_external_data=True, location="external.data", size_threshold=0)


def texts():
    import sentencepiece
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(["hello world"], trainers.WordLevelTrainer(special_tokens=["[UNK]"]))
    tokenizer.save("tokenizer.json")
    lines = [f"hello world {i} abcdefgh the quick brown fox {i * 7}" for i in range(200)]
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_prefix="spm", vocab_size=60, minloglevel=2)
    commit, cache = "a" * 40, Path("hub/models--me--tiny")
    for name in ("blobs", "refs", f"snapshots/{commit}"):
        (cache / name).mkdir(parents=True)
    (cache / "refs/main").write_text(commit)
    (cache / "blobs/b1").write_text('{"model_type": "bert"}')
    (cache / f"snapshots/{commit}/config.json").symlink_to("../../blobs/b1")


def tensors():
    import faiss
    import gguf
    import h5py
    from safetensors.numpy import save_file

    save_file({"x": X}, "x.safetensors")
    index = faiss.IndexFlatL2(4)
    index.add(X)
    faiss.write_index(index, "faiss.index")
    writer = gguf.GGUFWriter("t.gguf", "llama")
    writer.add_block_count(1)
    writer.add_tensor("token_embd.weight", np.ones((32, 32), dtype="float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with h5py.File("x.h5", "w") as file:
        file["x"] = X


def mlflow():
    import mlflow.sklearn
    from sklearn.svm import SVC

    mlflow.sklearn.save_model(SVC().fit(X, y), "mlflow", pip_requirements=["scikit-learn"], serialization_format="cloudpickle")
    shutil.copytree("mlflow", ".", dirs_exist_ok=True)


def others():
    with sqlite3.connect("some.sqlite") as database:
        database.execute("create table t (n)")
        database.execute("insert into t values (42)")
    database.close()
    Path("module.py").write_text("answer = 42\n")
    Path("config.json").write_text(json.dumps({"a": 1}))
    Path("relative").symlink_to("config.json")
    Path("absolute").symlink_to("/models/config.json")


for make in (trees, sklearn, onnx, texts, tensors, mlflow, others):
    make()
for path in [Path("."), *Path(".").rglob("*")]:
    if not path.is_symlink():
        path.chmod(0o755 if path.is_dir() else 0o644)

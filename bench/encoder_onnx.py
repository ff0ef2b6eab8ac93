# SPDX-License-Identifier: Apache-2.0
"""A BERT sentence encoder's published folder for ONNX Runtime: the graph, made of its tensors, and its tokenizer.

Two graphs of the same model: `plain` of standard operators, and `fused` of the operators that ONNX Runtime's own optimiser for
transformers puts in their place (com.microsoft: Attention, SkipLayerNormalization, BiasGelu). Needs the PyPI packages onnx,
onnxruntime, numpy and tokenizers.
"""
import json
import struct

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

PLAIN, FUSED = "plain", "fused"


def read_tensors(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, about in json.loads(data[8:8 + size]).items():
        if about.get("dtype") == "F32":
            start, end = about["data_offsets"]
            tensors[name.removeprefix("bert.")] = np.frombuffer(data[8 + size + start:8 + size + end], np.float32).reshape(about["shape"])
    return tensors


class Graph:
    def __init__(self, tensors, config):
        self.tensors, self.config = tensors, config
        self.nodes, self.constants, self.n = [], [], 0

    def constant(self, value):
        self.n += 1
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), f"c{self.n}"))
        return f"c{self.n}"

    def add(self, kind, *inputs, domain="", **attributes):
        self.n += 1
        self.nodes.append(helper.make_node(kind, list(inputs), [f"v{self.n}"], domain=domain, **attributes))
        return f"v{self.n}"

    def linear(self, x, name, bias=True):
        x = self.add("MatMul", x, self.constant(self.tensors[f"{name}.weight"].T))
        return self.add("Add", x, self.constant(self.tensors[f"{name}.bias"])) if bias else x

    def norm(self, x, name):
        return self.add("LayerNormalization", x, self.constant(self.tensors[f"{name}.LayerNorm.weight"]),
                        self.constant(self.tensors[f"{name}.LayerNorm.bias"]), axis=-1, epsilon=self.config["layer_norm_eps"])

    def embed(self):
        types = self.tensors["embeddings.token_type_embeddings.weight"][0]
        x = self.add("Gather", self.constant(self.tensors["embeddings.word_embeddings.weight"]), "ids")
        length = self.add("Shape", "ids", start=1, end=2)
        places = self.add("Slice", self.constant(self.tensors["embeddings.position_embeddings.weight"] + types),
                          self.constant(np.array([0])), length, self.constant(np.array([0])))
        return self.norm(self.add("Add", x, places), "embeddings")

    def heads(self, x, order):
        n, size = self.config["num_attention_heads"], self.config["hidden_size"] // self.config["num_attention_heads"]
        return self.add("Transpose", self.add("Reshape", x, self.constant(np.array([0, 0, n, size]))), perm=order)

    def plain_layer(self, x, layer):
        names = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
        query, key, value = (self.heads(self.linear(x, name), order)
                             for name, order in zip(names, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])))
        scale = np.float32(np.sqrt(self.config["hidden_size"] // self.config["num_attention_heads"]))
        scores = self.add("Add", self.add("Div", self.add("MatMul", query, key), self.constant(scale)), "mask")
        mixed = self.add("Transpose", self.add("MatMul", self.add("Softmax", scores, axis=-1), value), perm=[0, 2, 1, 3])
        mixed = self.add("Reshape", mixed, self.constant(np.array([0, 0, self.config["hidden_size"]])))
        x = self.norm(self.add("Add", self.linear(mixed, f"{layer}.attention.output.dense"), x), f"{layer}.attention.output")
        inner = self.add("Gelu", self.linear(x, f"{layer}.intermediate.dense"))
        return self.norm(self.add("Add", self.linear(inner, f"{layer}.output.dense"), x), f"{layer}.output")

    def skip_norm(self, x, skip, dense, norm):
        return self.add("SkipLayerNormalization", x, skip, self.constant(self.tensors[f"{norm}.LayerNorm.weight"]),
                        self.constant(self.tensors[f"{norm}.LayerNorm.bias"]), self.constant(self.tensors[f"{dense}.bias"]),
                        domain="com.microsoft", epsilon=self.config["layer_norm_eps"])

    def fused_layer(self, x, layer):
        names = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
        weights = self.constant(np.hstack([self.tensors[f"{name}.weight"].T for name in names]))
        biases = self.constant(np.hstack([self.tensors[f"{name}.bias"] for name in names]))
        mixed = self.add("Attention", x, weights, biases, "lengths", domain="com.microsoft",
                         num_heads=self.config["num_attention_heads"])
        dense = f"{layer}.attention.output.dense"
        x = self.skip_norm(self.linear(mixed, dense, False), x, dense, f"{layer}.attention.output")
        inner = self.add("BiasGelu", self.linear(x, f"{layer}.intermediate.dense", False),
                         self.constant(self.tensors[f"{layer}.intermediate.dense.bias"]), domain="com.microsoft")
        dense = f"{layer}.output.dense"
        return self.skip_norm(self.linear(inner, dense, False), x, dense, f"{layer}.output")

    def model(self, form):
        x = self.embed()
        for i in range(self.config["num_hidden_layers"]):
            layer = f"encoder.layer.{i}"
            x = self.fused_layer(x, layer) if form == FUSED else self.plain_layer(x, layer)
        self.nodes.append(helper.make_node("Identity", [x], ["rows"]))
        inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])]
        if form == FUSED:
            inputs.append(helper.make_tensor_value_info("lengths", TensorProto.INT32, ["batch"]))
        else:
            inputs.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["batch", 1, 1, "length"]))
        rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["batch", "length", self.config["hidden_size"]])
        graph = helper.make_graph(self.nodes, "encoder", inputs, [rows], self.constants)
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)


class Encoder:
    """The model as sentence-transformers runs it: mean of the last layer, length 1."""

    def __init__(self, folder, form, n_threads=1):
        with open(f"{folder}/config.json", encoding="utf-8") as file:
            config = json.load(file)
        with open(f"{folder}/sentence_bert_config.json", encoding="utf-8") as file:
            max_tokens = json.load(file)["max_seq_length"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = n_threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        model = Graph(read_tensors(f"{folder}/model.safetensors"), config).model(form).SerializeToString()
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.form = form
        self.tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_tokens)

    def encode(self, texts):
        """One batch, padded to its longest text."""
        ids = [found.ids for found in self.tokenizer.encode_batch(texts)]
        lengths = np.array([len(row) for row in ids], np.int32)
        padded = np.zeros((len(ids), lengths.max()), np.int64)
        for row, known in zip(padded, ids):
            row[:len(known)] = known
        inside = np.arange(lengths.max()) < lengths[:, None]
        if self.form == FUSED:
            inputs = {"ids": padded, "lengths": lengths}
        else:
            inputs = {"ids": padded, "mask": np.where(inside, np.float32(0), np.float32(-1e9))[:, None, None, :]}
        rows = self.session.run(None, inputs)[0]
        sums = (rows * inside[:, :, None]).sum(1)
        return sums / np.linalg.norm(sums, axis=1, keepdims=True)

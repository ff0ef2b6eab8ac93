#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Embedding models: added, listed, configured and removed."""
import json
import math
import os
import random
import struct
import sys

import cases

WIDTH, INNER, LAYERS = 32, 64, 2
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "dog", "sleeps", "in", "the", "kitchen", "."]


def tensor_shapes():
    yield "embeddings.word_embeddings.weight", [len(TOKENS), WIDTH]
    yield "embeddings.position_embeddings.weight", [16, WIDTH]
    yield "embeddings.token_type_embeddings.weight", [2, WIDTH]
    norms = ["embeddings"]
    for i in range(LAYERS):
        layer = f"encoder.layer.{i}"
        square = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")] + [f"{layer}.attention.output.dense"]
        for name, to, width in [*((name, WIDTH, WIDTH) for name in square), (f"{layer}.intermediate.dense", INNER, WIDTH),
                                (f"{layer}.output.dense", WIDTH, INNER)]:
            yield f"{name}.weight", [to, width]
            yield f"{name}.bias", [to]
        norms += [f"{layer}.attention.output", f"{layer}.output"]
    for name in norms:
        yield f"{name}.LayerNorm.weight", [WIDTH]
        yield f"{name}.LayerNorm.bias", [WIDTH]


def write_encoder(world, folder):
    """A small encoder without sense, as sentence-transformers would publish it."""
    rng, header, data = random.Random(1), {}, b""
    for name, shape in tensor_shapes():
        n = math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * n]}
        data += struct.pack(f"<{n}f", *(rng.uniform(-1, 1) for _ in range(n)))
    text = json.dumps(header).encode()
    world.write(f"{folder}/config.json", json.dumps({
        "model_type": "bert", "hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS,
        "num_attention_heads": 2, "max_position_embeddings": 16, "hidden_act": "gelu", "layer_norm_eps": 1e-12}))
    world.write(f"{folder}/vocab.txt", "\n".join(TOKENS) + "\n")
    world.write(f"{folder}/1_Pooling/config.json", json.dumps({"pooling_mode_mean_tokens": True}))
    world.write(f"{folder}/README.md", "of no use to an embedder\n")
    with open(world.path(f"{folder}/model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def embed(world, *arguments):
    return world.json("embed", "--data", "d", *arguments, "the dog sleeps")["vector"]


def files_below(path):
    return sorted(os.path.relpath(os.path.join(folder, name), path) for folder, _, names in os.walk(path) for name in names)


def case_added_model_has_a_name_and_gives_the_same_vectors(world):
    write_encoder(world, "tiny")
    out, _ = world.run("model", "add", "tiny", "--data", "d", "--name", "mine")
    assert out.startswith(f"mine: {WIDTH} dimensions, {LAYERS} layers, ") and " takes " in out, out
    assert files_below(world.path("d/models")) == [
        "mine/1_Pooling/config.json", "mine/config.json", "mine/model.safetensors", "mine/vocab.txt"]
    vector = embed(world, "--model", "mine")
    assert len(vector) == WIDTH and abs(math.hypot(*vector) - 1) < 1e-5
    assert vector == embed(world, "--model", "./tiny") != embed(world)[:WIDTH]


def case_configured_model_is_the_default_and_stays(world):
    write_encoder(world, "tiny")
    world.run("model", "add", "tiny/", "--data", "d")
    world.write("precis.yaml", "embedding: { model: tiny }\n")
    assert len(embed(world)) == WIDTH and len(embed(world, "--model", "builtin")) == 256
    listed = world.json("model", "list", "--data", "d")
    assert [(model["name"], model["configured"], model["layers"]) for model in listed] == [("builtin", False, 0), ("tiny", True, LAYERS)]
    _, err = world.run("model", "remove", "tiny", "--data", "d", expect=1)
    assert "the configuration names 'tiny'" in err, err
    world.env["EMBEDDING_MODEL"] = "builtin"
    assert len(embed(world)) == 256
    world.run("model", "remove", "tiny", "--data", "d")
    assert os.listdir(world.path("d/models")) == []


def case_path_in_the_file_lies_beside_it(world):
    write_encoder(world, "etc/tiny")
    world.write("etc/precis.yaml", "embedding: { model: ./tiny }\n")
    assert len(embed(world, "--config", "etc/precis.yaml")) == WIDTH


def case_model_that_is_not_whole_is_refused_and_leaves_nothing(world):
    write_encoder(world, "tiny")
    with open(world.path("tiny/model.safetensors"), "r+b") as file:
        file.truncate(5000)
    _, err = world.run("model", "add", "tiny", "--data", "d", expect=1)
    assert "model.safetensors: tensor '" in err and "does not lie in the file" in err, err
    assert not os.path.exists(world.path("d/models"))
    _, err = world.run("model", "add", "nothing", "--data", "d", expect=1)
    assert "nothing" in err, err


def case_second_model_of_a_name_is_refused(world):
    write_encoder(world, "tiny")
    world.run("model", "add", "tiny", "--data", "d")
    before = files_below(world.path("d"))
    _, err = world.run("model", "add", "tiny", "--data", "d", expect=1)
    assert "there is a model 'tiny' already" in err and files_below(world.path("d")) == before, err
    for name in ("builtin", ".hidden", "../up", "a b", "n" * 65):
        _, err = world.run("model", "add", "tiny", "--data", "d", "--name", name, expect=1)
        assert "no name for a model" in err, err


def case_unknown_model_stops_the_start_with_what_to_do(world):
    world.run("init", "--demo", "--data", "d")
    world.env["EMBEDDING_MODEL"] = "nosuch"
    _, err = world.run("build", "--data", "d", "--recipe", "assistant", "--param", "user_id=demo", expect=1)
    assert "there is no model 'nosuch' in d/models" in err and "precis model add" in err, err
    out, err = world.run("doctor", "--data", "d", expect=1)
    assert "there is no model 'nosuch'" in out + err, out + err
    _, err = world.run("model", "remove", "nosuch", "--data", "d", expect=1)
    assert "there is no model 'nosuch'" in err, err


cases.main(sys.modules[__name__])

"""Prints the fields of an InferenceService (JSON, standard input) that KServe's Python classes do not know."""

import json
import sys

import kserve


def unknown(value, type_name, path=""):
    if isinstance(value, list):
        for number, item in enumerate(value):
            unknown(item, type_name.removeprefix("list[").removesuffix("]"), f"{path}[{number}]")
        return
    cls = getattr(kserve, type_name, None)
    if not isinstance(value, dict) or not hasattr(cls, "openapi_types"):
        return
    fields = {name: cls.openapi_types[attribute] for attribute, name in cls.attribute_map.items()}
    for name, inner in value.items():
        if name in fields:
            unknown(inner, fields[name], f"{path}.{name}")
        else:
            print(f"{path}.{name}")


unknown(json.load(sys.stdin), "V1beta1InferenceService")

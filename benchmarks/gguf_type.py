"""A quantised GGUF file -> the same weights in float32 or bfloat16, for llama.cpp at the precision
of the others.

  python -m benchmarks.gguf_type MODEL.Q4_1.gguf MODEL.F32.gguf
  python -m benchmarks.gguf_type MODEL.Q4_1.gguf MODEL.BF16.gguf --type BF16

Tensors are dequantised by the function that transformers calls for `gguf_file=`, so that both
compute with the same weights. The metadata (tokenizer, chat template, sizes) are copied.
"""

import argparse
from pathlib import Path

TYPES = {"F32": "ALL_F32", "BF16": "MOSTLY_BF16"}
"""What GGUF calls a file of each type."""


def convert(source: Path, target: Path, kind: str = "F32") -> None:
    """Write `target`: the matrices of `source` in a type of TYPES, its vectors in float32, and its
    metadata.
    """
    import gguf
    from gguf.quants import dequantize, quantize

    reader = gguf.GGUFReader(source)
    part = target.with_name(f"{target.name}.part")
    writer = gguf.GGUFWriter(part, reader.fields["general.architecture"].contents())
    written_anew = {"general.architecture", "general.file_type"}
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name not in written_anew:
            inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=inner)
    writer.add_file_type(gguf.LlamaFileType[TYPES[kind]])
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type)
        wanted = gguf.GGMLQuantizationType[kind if values.ndim > 1 else "F32"]
        writer.add_tensor(tensor.name, quantize(values, wanted), raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(target)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--type", choices=TYPES, default="F32")
    args = parser.parse_args()
    convert(args.source, args.target, args.type)


if __name__ == "__main__":
    main()

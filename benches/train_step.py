"""The PyTorch side of train_step.sh: the same training passes with transformers' Llama.

    train_step.py time <folder> <threads> <steps>

Prints the loss and the gradient's norm, and then the seconds of each step after two steps of warm-up.
"""

import json
import sys
import time
from pathlib import Path

import torch
from transformers import LlamaForCausalLM


def main():
    folder, threads, steps = Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(threads)
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokens = torch.tensor(json.loads((folder / "tokens.json").read_text()))
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    for step in range(steps + 2):
        begin = time.perf_counter()
        model.zero_grad()
        logits = model(input_ids=inputs, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])
        value, norm = loss.item(), norm.item()
        seconds = time.perf_counter() - begin
        if step == 0:
            print(value, norm)
        elif step > 1:
            print(seconds)


main()

"""The TRL side of grpo_step.sh: the same steps of GRPO with its GRPOTrainer on the CPU.

    grpo_step.py time <folder> <threads> <steps>

Prints the number of generated tokens of the first step, and then the seconds of each step after two
steps of warm-up. The model, its 97 characters, prompts, reward, temperature, and AdamW are those of meed;
there is no reference model.
"""

import os
import sys
import time
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""

import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

PROMPTS, ROLLOUTS, NEW_TOKENS = 32, 8, 16


def characters():
    """One token per printable ASCII character and line feed; 0 ends a response and pads."""
    vocabulary = {"<end>": 0, "\n": 1, **{chr(32 + i): i + 2 for i in range(95)}}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<end>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>")


class Clock(TrainerCallback):
    def __init__(self):
        self.seconds = []

    def on_step_begin(self, args, state, control, **_):
        # The step's batch, its generation included, is fetched before this call: from end to end is a step.
        pass

    def on_train_begin(self, args, state, control, **_):
        self.last = time.perf_counter()

    def on_step_end(self, args, state, control, **_):
        now = time.perf_counter()
        self.seconds.append(now - self.last)
        self.last = now


def main():
    folder, threads, steps = Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(threads)
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    numbers = range((steps + 2) * PROMPTS)
    prompts = [f"{10 + n * 37 % 90}+{10 + n * 53 % 90}=" for n in numbers]
    counts = []

    def reward(completions, completion_ids, **_):
        counts.append(sum(map(len, completion_ids)))
        return [sum(c.isascii() and c.isdigit() for c in text) / NEW_TOKENS for text in completions]

    config = GRPOConfig(
        output_dir=str(folder / "trl"),
        per_device_train_batch_size=PROMPTS * ROLLOUTS,
        num_generations=ROLLOUTS,
        max_completion_length=NEW_TOKENS,
        max_steps=steps + 2,
        learning_rate=1e-4,
        lr_scheduler_type="constant",
        temperature=1.0,
        top_k=0,
        beta=0.0,
        num_iterations=1,
        gradient_accumulation_steps=1,
        gradient_checkpointing=False,
        use_cpu=True,
        bf16=False,
        max_grad_norm=1.0,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        shuffle_dataset=False,
    )
    clock = Clock()
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=config,
        train_dataset=Dataset.from_dict({"prompt": prompts}),
        processing_class=characters(),
        callbacks=[clock],
    )
    out, sys.stdout = sys.stdout, sys.stderr
    trainer.train()
    sys.stdout = out
    print(f"{counts[0]} generated tokens")
    for seconds in clock.seconds[2:]:
        print(seconds)


main()

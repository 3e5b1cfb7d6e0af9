"""The benchmark runs and its programs agree; nothing here is timed."""

from transformers import GPT2Config

from benchmarks import report, run, subject


def test_a_small_round_runs_and_the_programs_agree() -> None:
    config = GPT2Config(
        vocab_size=64,
        n_positions=16,
        n_embd=24,
        n_layer=2,
        n_head=3,
        bos_token_id=0,
        eos_token_id=0,
    )
    config.initializer_range = 0.3
    cases = run.measure(subject.make(config), rounds=1, lens=None)
    assert [case.first_difference for case in cases] == [9, 1]
    for case in cases:
        assert case.gap_flat < 1e-4
        assert case.largest_effect > 1e-2
    text = report.write(cases, 1.0, None)
    assert text.count("not run") == 2

"""The simulator against mechanics with a closed answer, as a Markdown table.

    python benchmarks/physics_theory.py

Options are the generator's: elliptic cones, impratio 10, implicit integration, the experiments' 2 ms a step; bounces and collisions at 0.2 ms.
The error of a length that should be 0 is in its unit, not in per cent. ``steps/s`` are of one core.
"""

import time

from video3d.data.simulate.physics_theory import all_cases


def main() -> None:
    begin = time.perf_counter()
    print("| case | theory | simulated | unit | error % | step ms | steps/s |")
    print("|---|---|---|---|---|---|---|")
    for case in all_cases():
        error = f"{case.error_percent:+.2f}" if case.theory else "–"
        print(
            f"| {case.name} | {case.theory:.4f} | {case.simulated:.4f} | {case.unit} | {error} "
            f"| {1e3 * case.timestep_s:g} | {case.steps_per_s:,.0f} |"
        )
    print(f"\n{time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    main()

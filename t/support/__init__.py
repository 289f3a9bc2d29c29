"""What tests, benchmarks and `./dev run` have in common. It is found below t/, which ./dev and t/pytest.ini name."""

"""What is compared, requested and claimed, as frozen facts. Measured: `bench.records`."""

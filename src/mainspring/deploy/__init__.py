"""Files for the tools that stand around a deployment: Prometheus, Grafana."""

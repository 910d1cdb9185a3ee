/** Probes of containers' health (`HEALTHCHECK`, `--health-cmd`), for as long as each runs. */
export interface HealthChecks {
  /** Probes since the engine's start. */
  counts(): { total: number; failed: number };
}

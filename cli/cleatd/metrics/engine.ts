import { Counter, Gauge, type Registry } from 'prom-client';
import type { MetricsSources } from './sources.js';

/** Labels of `engine_daemon_engine_info` (moby `daemon/internal/metrics`), and where `GET /info` has their values. */
const facts = {
  version: 'ServerVersion',
  commit: 'Commit',
  architecture: 'Architecture',
  graphdriver: 'Driver',
  kernel: 'KernelVersion',
  os: 'OperatingSystem',
  os_type: 'OSType',
  os_version: 'OSVersion',
  daemon_id: 'ID',
} as const;

/** Metrics of dockerd, under the same names and in the same units. */
export function engineMetrics(
  registry: Registry,
  { system, containers, events, health }: MetricsSources['engine'],
): void {
  const registers = [registry];
  new Gauge({
    name: 'engine_daemon_engine_info',
    help: 'The information related to the engine and the OS it is running on',
    labelNames: Object.keys(facts),
    registers,
    async collect() {
      const info = await system.info();
      this.reset();
      this.set(Object.fromEntries(Object.entries(facts).map(([label, key]) => [label, String(info[key] ?? '')])), 1);
    },
  });
  const host = (name: string, help: string, key: string) =>
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(Number((await system.info())[key] ?? 0));
      },
    });
  host('engine_daemon_engine_cpus_cpus', 'The number of cpus that the host system of the engine has', 'NCPU');
  host(
    'engine_daemon_engine_memory_bytes',
    'The number of bytes of memory that the host system of the engine has',
    'MemTotal',
  );
  new Gauge({
    name: 'engine_daemon_container_states_containers',
    help: 'The count of containers in various states',
    labelNames: ['state'],
    registers,
    collect() {
      const counts = containers.counts();
      for (const state of ['running', 'paused', 'stopped'] as const) this.set({ state }, counts[state]);
    },
  });
  const counted = (name: string, help: string, read: () => number) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  counted('engine_daemon_events_total', 'The number of events logged', () => events.stats().published);
  counted('engine_daemon_health_checks_total', 'The total number of health checks', () => health.counts().total);
  counted(
    'engine_daemon_health_checks_failed_total',
    'The total number of failed health checks',
    () => health.counts().failed,
  );
  new Gauge({
    name: 'engine_daemon_events_subscribers_total',
    help: 'The number of current subscribers to events',
    registers,
    collect() {
      this.set(events.stats().subscribers);
    },
  });
}

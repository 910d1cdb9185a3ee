import { spoiltByHangingUp } from '../../testing/http-flaws.fixture.js';
import type { Flaw } from '../../testing/test-plugin.fixture.js';
import type { HealthyLogs } from './healthy.fixture.js';

/** Log drivers that write well, and are broken in what they give back. */
export const readingFlaws = (): Flaw<HealthyLogs>[] => [
  {
    finds: 'log/read',
    about: 'gives each line twice',
    handlers: (healthy) => ({ entries: (id) => healthy.entries(id).flatMap((entry) => [entry, entry]) }),
  },
  {
    finds: 'log/read-line-feeds',
    about: 'gives lines as they came',
    handlers: () => ({ kept: (entry) => entry }),
  },
  {
    finds: 'log/read-sources',
    about: 'forgets the source',
    handlers: (healthy) => ({ kept: (entry) => ({ ...healthy.kept(entry), source: 'stdout' }) }),
  },
  {
    finds: 'log/read-times',
    about: 'says when it got a line',
    handlers: (healthy) => ({
      kept: (entry) => ({ ...healthy.kept(entry), timeNano: entry.timeNano + 10_000_000n }),
    }),
  },
  { finds: 'log/read-tail', about: 'gives all', handlers: (healthy) => reading(healthy, { Tail: -1 }) },
  { finds: 'log/read-since', about: 'does not look at it', handlers: (healthy) => reading(healthy, { Since: '' }) },
  { finds: 'log/read-until', about: 'does not look at it', handlers: (healthy) => reading(healthy, { Until: '' }) },
  {
    finds: 'log/read-while-written',
    about: 'is busy writing',
    handlers: (healthy) => ({ entries: (id) => (healthy.isWritten(id) ? [] : healthy.entries(id)) }),
  },
  { finds: 'log/follow', about: 'ends at once', handlers: (healthy) => reading(healthy, { Follow: false }) },
  { finds: 'log/follow-ends', about: 'never ends', handlers: () => ({ isWritten: () => true }) },
  {
    finds: 'log/follow-hang-up',
    about: 'dies when somebody hangs up',
    http: spoiltByHangingUp((response) => response.destroy()),
  },
];

/** Asked, but for what the flaw does not look at. */
function reading(healthy: HealthyLogs, instead: object): Partial<HealthyLogs> {
  return {
    ReadLogs: ({ Info, Config }, context) => healthy.ReadLogs({ Info, Config: { ...Config, ...instead } }, context),
  };
}

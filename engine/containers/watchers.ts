import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import type { Events } from '../events/service.js';
import type { RunWatcher, WatchedRun } from './service.js';
import type { Announcer } from './state/announce.js';
import type { Container } from './state/container.js';

/** The parts for telling them. */
interface WatchContext extends Pick<Announcer, 'emit'> {
  readonly events: Pick<Events, 'together'>;
  readonly log: Logger;
}

/** The rooms that watch over running containers. A watcher that throws is logged, and stops no container. */
export class RunWatchers {
  readonly #watchers: RunWatcher[] = [];

  add(watcher: RunWatcher): void {
    this.#watchers.push(watcher);
  }

  /** It runs, or was found running by an engine that starts. */
  began(context: WatchContext, container: Container): void {
    const run = watchedRun(context, container);
    this.#tell(context, container, (watcher) => watcher.began(run));
  }

  /** Its process has ended, and nothing of it is recorded yet. */
  ended(context: WatchContext, container: Container): void {
    this.#tell(context, container, (watcher) => watcher.ended(container.id));
  }

  #tell(context: WatchContext, container: Container, tell: (watcher: RunWatcher) => void): void {
    for (const watcher of this.#watchers) {
      try {
        tell(watcher);
      } catch (error) {
        context.log.error('a watcher of containers failed', { container: container.id, error: messageOf(error) });
      }
    }
  }
}

function watchedRun(context: WatchContext, container: Container): WatchedRun {
  const { id, record } = container;
  return {
    id,
    config: record.config,
    startedAt: record.state.startedAt,
    paused: () => record.state.status === 'paused',
    health: () => record.state.health,
    saveHealth(health, action) {
      if (health) record.state.health = health;
      else delete record.state.health;
      context.events.together(() => {
        if (action !== undefined) context.emit(container, action);
        container.note();
      });
    },
  };
}

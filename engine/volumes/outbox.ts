import type { CallOptions } from '@cleat/protocol/kinds/kind';
import type { Events } from '../events/service.js';
import type { VolumeName } from '../ids.js';
import type { Message, Outbox, Pending, Queue } from '../outbox/service.js';
import type { Collection } from '../store/service.js';
import { type Drivers, shortMs } from './drivers.js';
import type { HeldMount } from './held.js';

interface Unmount {
  method: 'Unmount';
  request: { Name: VolumeName; ID: string };
}

/** An Unmount that its driver has not heard yet. */
export interface PendingUnmount {
  held: HeldMount;
  /** RFC 3339 */
  since: string;
  reason: string;
}

export interface VolumeOutboxDeps {
  readonly outbox: Outbox;
  readonly held: Collection<HeldMount>;
  readonly drivers: Drivers;
  readonly events: Events;
}

/**
 * Unmounts. A mount is on record from before its Mount until its driver has heard the Unmount, or the volume is
 * forgotten by force.
 */
export class VolumeOutbox {
  readonly #held: Collection<HeldMount>;
  readonly #events: Events;
  readonly #queue: Queue<Unmount>;
  /** Mounts that the former engine held and nobody has claimed yet. */
  readonly #unclaimed: Set<string>;

  constructor({ outbox, held, drivers, events }: VolumeOutboxDeps) {
    this.#held = held;
    this.#events = events;
    this.#unclaimed = new Set(held.entries().map(([id]) => id));
    this.#queue = outbox.queue<Unmount>('volumes', {
      // A driver that counts mounts may have counted before it refused: said again, the Unmount of one container would
      // end the mount of another. A stock engine does not say it again, either.
      attempts: 1,
      independent: true,
      isMoot: (_, { request }) => this.#held.get(request.ID) === undefined,
      call: (driver, { request }, options) => unmount(drivers, driver, request, options),
      onSettled: ({ id }, outcome) => this.#settled(id, outcome.state === 'done' && !outcome.unknown),
    });
    for (const [, { owed, ...mount }] of held.entries()) if (owed) this.#takeOver(mount, owed);
  }

  /** All that are pending, of one volume or of all. */
  list(volume?: VolumeName): PendingUnmount[] {
    const pending = this.#queue.list().flatMap(({ id, since, reason }) => {
      const held = this.#held.get(id);
      return held ? [{ held, since, reason }] : [];
    });
    return pending.filter(({ held }) => volume === undefined || held.volume === volume);
  }

  /** Its container runs: it is not to be unmounted. */
  claim(held: HeldMount): void {
    this.#unclaimed.delete(held.id);
    void this.#queue.cancel(held.id);
    if (this.#held.get(held.id) === undefined) this.#held.put(held.id, held);
  }

  /** Unmounts everything that the former engine held for containers that do not run. */
  reconcile(): void {
    for (const id of this.#unclaimed) {
      const held = this.#held.get(id);
      if (held && !this.#queue.has(id)) this.postpone(held, 'the engine was killed');
    }
    this.#unclaimed.clear();
  }

  /**
   * Resolves when the driver has unmounted it, or when that is pending because the driver is away or takes too long.
   * @throws what the driver says when it refuses: then it is not asked again
   */
  async unmount(held: HeldMount): Promise<void> {
    this.#unclaimed.delete(held.id);
    const outcome = await this.#queue.send(messageFor(held), {});
    if (outcome.state === 'refused') throw outcome.error;
  }

  /** Its driver gets the Unmount when it can be asked. @param held is on record */
  postpone(held: HeldMount, reason: string): void {
    this.#queue.postpone(messageFor(held), reason);
  }

  /** Tries once more what is pending for a volume, before its driver is asked for something else. */
  async settle(driver: string, volume: VolumeName): Promise<void> {
    await this.#queue.settle(driver, (pending) => isOf(pending, volume));
  }

  /** Forgets what is pending for a volume that is forgotten itself. */
  forget(volume: VolumeName): void {
    for (const pending of this.#queue.list().filter((one) => isOf(one, volume))) {
      this.#held.delete(pending.id);
      void this.#queue.cancel(pending.id);
    }
  }

  #settled(id: string, unmounted: boolean): void {
    const held = this.#held.get(id);
    if (!held) return;
    const { volume, driver, containerId: container } = held;
    this.#events.together(() => {
      if (unmounted && held.mounted) {
        this.#events.publish({ type: 'volume', action: 'unmount', id: volume, attributes: { driver, container } });
      }
      this.#held.delete(id);
    });
  }

  /** Versions before the outbox kept it with the mount. */
  #takeOver(mount: HeldMount, { since, reason }: { since: string; reason: string }): void {
    this.#held.put(mount.id, mount);
    this.#queue.postpone(messageFor(mount), reason, since);
  }
}

const messageFor = ({ id, driver, volume, containerId }: HeldMount): Message<Unmount> => ({
  id,
  extension: driver,
  about: `volume ${volume} of container ${containerId}`,
  calls: [{ method: 'Unmount', request: { Name: volume, ID: id } }],
});

const isOf = ({ calls }: Pending<Unmount>, volume: VolumeName): boolean =>
  calls.some(({ request }) => request.Name === volume);

async function unmount(drivers: Drivers, name: string, request: Unmount['request'], options: CallOptions) {
  const driver = await drivers.get(name, options.impatient ? shortMs : undefined);
  await driver.Unmount(request, options);
}

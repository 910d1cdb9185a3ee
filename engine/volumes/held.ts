import type { VolumeName } from '../ids.js';

/**
 * A Mount that a driver was asked for, kept (collection `volume-mounts`, key: its ID) from before the call until the
 * driver has answered its Unmount. So whatever is killed in between, nothing stays mounted for nobody.
 */
export interface HeldMount {
  v: 1;
  /** Towards the driver: 64 hexadecimal digits. */
  id: string;
  volume: VolumeName;
  driver: string;
  containerId: string;
  /** The driver has said that it did: there was an event of it. */
  mounted: boolean;
  /** Left by former versions: nobody uses it, and its driver does not know yet. The outbox takes it over. */
  owed?: { since: string; reason: string };
}

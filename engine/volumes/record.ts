import type { VolumeName } from '../ids.js';

/** The engine's facts about a volume; its data is the driver's. */
export interface VolumeRecord {
  v: 1;
  name: VolumeName;
  driver: string;
  labels: Record<string, string> | null;
  options: Record<string, string> | null;
  scope: string;
  /** RFC 3339; the driver's, or when the engine made it. */
  createdAt: string;
  /** As the driver last said; empty when it says so only on Mount. */
  mountpoint: string;
}

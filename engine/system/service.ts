/** The engine's facts about itself. */
export interface System {
  /** Answer of `GET /info`, newest shape. Never waits for an extension. */
  info(): Promise<Record<string, unknown>>;
  /** Answer of `GET /version`, without `ApiVersion`/`MinAPIVersion`, which the api room adds. */
  version(): VersionInfo;
  /** Answer of `GET /system/df`. `types`: container, image, volume, build-cache; empty: all. */
  diskUsage(types: string[]): Promise<Record<string, unknown>>;
}

export interface VersionInfo {
  /** The engine's version as Docker-compatible tools may compare it. */
  Version: string;
  Platform: { Name: string };
  Components: { Name: string; Version: string; Details: Record<string, string> }[];
  GitCommit: string;
  Os: string;
  Arch: string;
  KernelVersion: string;
  BuildTime: string;
  Experimental: boolean;
}

/** Where an engine keeps everything. */
export interface EngineRoots {
  dataRoot: string;
  execRoot: string;
}

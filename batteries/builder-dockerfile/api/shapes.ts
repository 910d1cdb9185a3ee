/** Looking into what came as JSON. */

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The text under a key; empty where there is none. */
export function textAt(value: unknown, key: string): string {
  const found = isObject(value) ? value[key] : undefined;
  return typeof found === 'string' ? found : '';
}

export function stringList(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}

/** The directories of an image or a container, as `inspect` tells them: `UpperDir`, `LowerDir`. */
export function directoriesOf(inspected: unknown): { upper: string; lower: string } {
  const driver = isObject(inspected) ? inspected.GraphDriver : undefined;
  const data = isObject(driver) ? driver.Data : undefined;
  return { upper: textAt(data, 'UpperDir'), lower: textAt(data, 'LowerDir') };
}

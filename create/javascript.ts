/**
 * A template as plain JavaScript. Templates keep to what is undone here: the types of parameters in simple words, and
 * type arguments of one call. A test runs every result.
 */
export function toJavaScript(source: string): string {
  return source
    .replaceAll(
      /^( *)const (\w+) = new DurableMap<(.+?)>\(/gm,
      '$1/** @type {DurableMap<$3>} */\n$1const $2 = new DurableMap(',
    )
    .replaceAll(/^( *)let (\w+): (.+?);$/gm, '$1/** @type {$3} */\n$1let $2;')
    .replaceAll(/new Promise<\w+>\(/g, 'new Promise(')
    .replaceAll(/\b(\w+): (?:string|number|object|AbortSignal)(?=[,)])/g, '$1');
}

/**
 * `import()` of what is not in the bundle, a package or an extension's module, becomes a call of `imported` (load.cjs). V8
 * forgets, for code that it has not compiled itself, how a script imports.
 */
export const dynamicImports = {
  name: 'dynamic-imports',
  renderChunk(code) {
    const places = [];
    visit(this.parse(code), (node) => {
      if (node.type === 'ImportExpression') places.push(node.start);
    });
    let rendered = code;
    for (const start of places.reverse()) {
      rendered = `${rendered.slice(0, start)}imported${rendered.slice(start + 'import'.length)}`;
    }
    return rendered;
  },
};

/** V8 keeps two bytes for each character of a text in which one needs two. What is no ASCII stands in strings and names. */
export const ascii = (code) =>
  code.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

function visit(node, look) {
  if (typeof node?.type === 'string') look(node);
  for (const child of Object.values(node)) {
    if (typeof child === 'object' && child !== null) visit(child, look);
  }
}

import { fileURLToPath } from 'node:url';
import {
  type Expression,
  isBinaryExpression,
  isBindingElement,
  isCallExpression,
  isDeleteExpression,
  isElementAccessExpression,
  isIdentifier,
  isNumericLiteral,
  isObjectBindingPattern,
  isObjectLiteralExpression,
  isPropertyAccessExpression,
  isPropertyAssignment,
  isStatement,
  isStringLiteral,
  isVariableDeclaration,
  type Node,
  type ObjectLiteralExpression,
  type PropertyAssignment,
  type SourceFile,
  SyntaxKind,
} from 'typescript/unstable/ast';
import { API, type Checker, type Program, type Type, type Symbol as TypeSymbol } from 'typescript/unstable/sync';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const config = fileURLToPath(new URL('tsconfig.json', import.meta.url));

/** The sources whose reads count: not those of an old version's gate, nor those that only shape an answer. */
const readers =
  /^(engine|api|protocol\/plugins)\/(?!containers\/(create-versions|inspect|view\/complete|view\/inspect|view\/networks)\.ts$|images\/inspect\.ts$)/;

/** A member of a schema in protocol/api. */
export interface Field {
  /** `HostConfig.LogConfig.Type` as it is written: by the constants that hold it. */
  readonly name: string;
  readonly member: string;
}

export interface Read {
  readonly file: string;
  readonly line: number;
}

/**
 * Every member of every schema in protocol/api, with where the engine or the api reads it, found by types: a read is
 * an access whose symbol was declared by that very member, so one of the same name elsewhere does not count.
 * Not reads: what is deleted or assigned, what is only copied into the same member, and the gates of old API versions.
 */
export function readFields(): Map<Field, Read[]> {
  const api = new API({ cwd: root });
  try {
    const project = api.updateSnapshot({ openProjects: [config] }).getProject(config);
    if (!project) throw new Error(`${config} is no project`);
    return collect(project.program, project.checker);
  } finally {
    api.close();
  }
}

function collect(program: Program, checker: Checker): Map<Field, Read[]> {
  const byPlace = new Map<string, Field>();
  const reads = new Map<Field, Read[]>();
  const files = program
    .getSourceFileNames()
    .filter((name) => name.startsWith(root) && !name.includes('/node_modules/'));
  for (const name of files.filter((file) => file.startsWith(`${root}protocol/api/`))) {
    const file = program.getSourceFile(name);
    if (!file) continue;
    for (const [property, path] of members(file, file, [])) {
      const [symbol] = checker.getSymbolAtLocation([property.name]);
      const place = placeOf(symbol);
      if (place === undefined) throw new Error(`${path.join('.')} has no declaration`);
      const field = { name: path.join('.'), member: path.at(-1) ?? '' };
      byPlace.set(place, field);
      reads.set(field, []);
    }
  }
  const fieldAt = (target: Target) => {
    const symbol =
      target.kind === 'member'
        ? checker.getSymbolAtLocation(target.node)
        : membersOf(checker, checker.getContextualType(target.literal), [target.name])[0];
    return byPlace.get(placeOf(symbol) ?? '');
  };
  for (const name of files.filter((file) => readers.test(file.slice(root.length)))) {
    const file = program.getSourceFile(name);
    if (!file) continue;
    for (const [node, symbols] of accesses(file, checker)) {
      for (const symbol of symbols) {
        const field = byPlace.get(placeOf(symbol) ?? '');
        if (!field || isCopied(node, (target) => fieldAt(target) === field)) continue;
        const line = file.text.slice(0, node.pos).split('\n').length;
        reads.get(field)?.push({ file: name.slice(root.length), line });
      }
    }
  }
  return reads;
}

const placeOf = (symbol: TypeSymbol | undefined): string | undefined => {
  const [declaration] = symbol?.declarations ?? [];
  return declaration && `${declaration.path}:${declaration.index}`;
};

/** Properties of object literals that a schema is made of: `Type.Object({ HERE })`, and constants spread into them. */
function* members(file: SourceFile, node: Node, path: string[]): Generator<[PropertyAssignment, string[]]> {
  let inner = path;
  if (isVariableDeclaration(node) && isIdentifier(node.name)) inner = [node.name.text];
  if (isPropertyAssignment(node) && isIdentifier(node.name)) {
    inner = [...path, node.name.text];
    // Values of constants, such as an empty configuration, are no schemas.
    if (isCallExpression(node.initializer) || isIdentifier(node.initializer)) yield [node, inner];
  }
  for (const child of children(node)) yield* members(file, child, inner);
}

function children(node: Node): Node[] {
  const list: Node[] = [];
  node.forEachChild((child) => {
    list.push(child);
    return undefined;
  });
  return list;
}

/** Every place where a member of something is named, with the members that it can be. */
function* accesses(node: Node, checker: Checker): Generator<[Node, TypeSymbol[]]> {
  if (isPropertyAccessExpression(node)) {
    const symbol = checker.getSymbolAtLocation(node.name);
    if (symbol && !isTarget(node)) yield [node, [symbol]];
  } else if (isElementAccessExpression(node) && !isTarget(node)) {
    const of = checker.getTypeAtLocation(node.expression);
    yield [node, membersOf(checker, of, namesOf(checker, node.argumentExpression))];
  } else if (isObjectBindingPattern(node)) {
    const of = checker.getTypeAtLocation(node);
    for (const element of node.elements) {
      if (!isBindingElement(element) || element.dotDotDotToken) continue;
      const name = element.propertyName ?? element.name;
      const unused =
        element.propertyName && element.name && isIdentifier(element.name) && element.name.text.startsWith('_');
      if (name !== undefined && isIdentifier(name) && !unused) yield [element, membersOf(checker, of, [name.text])];
    }
  }
  for (const child of children(node)) yield* accesses(child, checker);
}

function namesOf(checker: Checker, argument: Expression): string[] {
  if (isStringLiteral(argument)) return [argument.text];
  if (isNumericLiteral(argument)) return [];
  const type = checker.getTypeAtLocation(argument);
  return partsOf(type).flatMap((part) => (part.isStringLiteralType() ? [String(part.value)] : []));
}

function partsOf(type: Type | undefined): readonly Type[] {
  if (!type) return [];
  return type.isUnionType() ? (type.getTypes() ?? []) : [type];
}

function membersOf(checker: Checker, type: Type | undefined, names: readonly string[]): TypeSymbol[] {
  return partsOf(type).flatMap((part) =>
    names.flatMap((name) => {
      const symbol = checker.getPropertyOfType(part, name);
      return symbol ? [symbol] : [];
    }),
  );
}

/** `delete x.y` and `x.y = …` read nothing. */
function isTarget(node: Node): boolean {
  const { parent } = node;
  if (isDeleteExpression(parent)) return true;
  return isBinaryExpression(parent) && parent.left === node && parent.operatorToken.kind === SyntaxKind.EqualsToken;
}

/** Where a value goes: into the member of an object, or of one that is being written. */
type Target = { kind: 'member'; node: Node } | { kind: 'written'; literal: ObjectLiteralExpression; name: string };

/** `{ Member: x.Member }`, `y.Member = x.Member ?? z`: handed on as it is, and read by nobody yet. */
function isCopied(node: Node, isSame: (target: Target) => boolean): boolean {
  for (let at = node; at.parent && !isStatement(at); at = at.parent) {
    const { parent } = at;
    if (isCallExpression(parent)) return false;
    if (isPropertyAssignment(parent) && parent.initializer === at) {
      const literal = parent.parent;
      return (
        isIdentifier(parent.name) &&
        isObjectLiteralExpression(literal) &&
        isSame({ kind: 'written', literal, name: parent.name.text })
      );
    }
    if (isBinaryExpression(parent) && parent.right === at && isAssignment(parent.operatorToken.kind)) {
      return isPropertyAccessExpression(parent.left) && isSame({ kind: 'member', node: parent.left.name });
    }
  }
  return false;
}

const isAssignment = (kind: SyntaxKind): boolean =>
  kind === SyntaxKind.EqualsToken ||
  kind === SyntaxKind.BarBarEqualsToken ||
  kind === SyntaxKind.QuestionQuestionEqualsToken;

/** Where Debian's packages come from, and the keys that vouch for them. */
export interface DebianMirror {
  readonly uri: string;
  /** A keyring file; `undefined` where the source names none, or holds the key itself. */
  readonly signedBy: string | undefined;
}

interface AptSource extends DebianMirror {
  readonly suites: readonly string[];
  readonly components: readonly string[];
}

/** Names of releases and of what moves with them; others (`nodistro`, `stable-security`) are not. */
const SUITES =
  /^(stable|testing|unstable|oldstable|oldoldstable|sid|bullseye|bookworm|trixie|forky|duke)$/;

/**
 * The machine's own mirror of Debian's main archive, out of its apt sources: the first source with a
 * Debian release as its suite and `main` among its components. `undefined` where there is none.
 */
export function findDebianMirror(
  files: readonly { readonly name: string; readonly text: string }[],
): DebianMirror | undefined {
  const sources = files.flatMap(({ name, text }) =>
    name.endsWith('.sources') ? parseDeb822(text) : parseOneLine(text),
  );
  const found = sources.find(
    (source) =>
      source.suites.some((suite) => SUITES.test(suite)) &&
      source.components.includes('main') &&
      /^(https?|file|copy):\/\S*/.test(source.uri) &&
      !/security|backports/.test(source.uri),
  );
  return found && { uri: found.uri, signedBy: found.signedBy };
}

/** `deb [signed-by=/a.gpg arch=amd64] http://host/debian bookworm main contrib` */
function parseOneLine(text: string): AptSource[] {
  return text.split('\n').flatMap((line) => {
    const [, options = '', uri, suite, components = ''] =
      /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)([^#]*)/.exec(line) ?? [];
    if (uri === undefined || suite === undefined) {
      return [];
    }
    const keyring = /(?:^|\s)signed-by=(\/[^\s,]+)/i.exec(options)?.[1];
    return [{ uri, suites: [suite], components: words(components), signedBy: keyring }];
  });
}

/** Stanzas of `Field: value` lines, values going on in lines that begin with a space. */
function parseDeb822(text: string): AptSource[] {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = new Map<string, string>();
    let last = '';
    for (const line of stanza.split('\n').filter((each) => !each.startsWith('#'))) {
      const [, name, value] = /^([A-Za-z][\w-]*)\s*:\s*(.*)$/.exec(line) ?? [];
      last = name?.toLowerCase() ?? last;
      fields.set(last, name === undefined ? `${fields.get(last) ?? ''}\n${line}` : (value ?? ''));
    }
    const field = (name: string): string[] => words(fields.get(name) ?? '');
    const enabled = field('enabled')[0]?.toLowerCase() !== 'no';
    if (!enabled || !field('types').includes('deb')) {
      return [];
    }
    const keyring = field('signed-by').find((word) => word.startsWith('/'));
    return field('uris').map((uri) => ({
      uri,
      suites: field('suites'),
      components: field('components'),
      signedBy: keyring,
    }));
  });
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

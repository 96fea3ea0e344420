import { readdir, readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";

/** A fenced block of a page. */
export interface Block {
  /** The page, and the line on which the block's code begins: `docs/files.md:12`. */
  place: string;
  page: string;
  language: string;
  /** What follows the language: the file that the block belongs in, or a word such as `docker`. */
  info: string;
  code: string;
}

export interface Page {
  path: string;
  text: string;
  blocks: Block[];
  /** The page without its blocks. */
  prose: string;
}

async function readPage(path: string): Promise<Page> {
  const text = await readFile(path, "utf8");
  const blocks: Block[] = [];
  // A block in a list is indented.
  const prose = text.replace(
    /^( *)```(\w+)(?: (\S+))?\n(.*?)^\1```$/gms,
    (block, indent, language, info = "", code, at) => {
      const line = text.slice(0, at).split("\n").length + 1;
      const unindented = String(code).replaceAll(new RegExp(`^${indent}`, "gm"), "");
      blocks.push({ place: `${path}:${line}`, page: path, language, info, code: unindented });
      return block.replaceAll(/[^\n]/g, "");
    },
  );
  return { path, text, blocks, prose };
}

const inFolder = async (folder: string) =>
  (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".md")).map((name) => join(folder, name));

/** The README first; `llms.txt` is Markdown too. */
const [root, docs, templates] = await Promise.all([readdir("."), inFolder("docs"), inFolder(".github")]);

/** Every page of the project's documentation. */
export const pages: Page[] = await Promise.all(
  [
    "README.md",
    ...root.filter((name) => /^(?!README).*\.md$|^llms\.txt$/.test(name)),
    ...docs.sort(),
    ...templates,
  ].map(readPage),
);

export const blocks: Block[] = pages.flatMap((page) => page.blocks);

/** The anchors that GitHub gives the headings of a page. */
export const anchorsOf = ({ prose }: Page): string[] =>
  [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );

/** The relative links of a page: the file that each leads to, from the project's folder on, and the anchor. */
export const linksOf = ({ path, prose }: Page): { file: string; anchor: string }[] =>
  [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^(https?|mailto):/.test(target))
    .map((target) => {
      const [file = "", anchor = ""] = target.split("#");
      return { file: file === "" ? path : normalize(join(dirname(path), file)), anchor };
    });

import { stringify } from "yaml";
import { SPLITS } from "../split.ts";

/** A dataset in a folder: its name, and the name of its file of a split. */
interface Config {
  readonly name: string;
  readonly file: (split: string) => string;
}

/**
 * The front matter of a README by which `load_dataset(folder, config)` of Hugging Face finds the files. The first config is the default.
 *
 * @param features types of the columns, where the files do not tell them
 */
export function frontMatter(files: readonly string[], configs: readonly Config[], features?: readonly object[]): string {
  const found = configs.flatMap(({ name, file }) => {
    const dataFiles = SPLITS.map((split) => ({ split, path: file(split) })).filter(({ path }) => files.includes(path));
    return dataFiles.length === 0 ? [] : [{ config_name: name, ...(name === configs[0]?.name && { default: true }), data_files: dataFiles }];
  });
  const head = {
    pretty_name: "What people decided about an agent's actions",
    tags: ["countersign", "tool-use", "preference"],
    configs: found,
    ...(features !== undefined && { dataset_info: { features } }),
  };
  return `---\n${stringify(head)}---\n`;
}

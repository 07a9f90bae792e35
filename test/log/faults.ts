/** A commit hook that can lose the next answer, or the next request. */
export function lossyCommits() {
  let losing: "answer" | "request" | undefined;
  return {
    lose(what: "answer" | "request"): void {
      losing = what;
    },
    commit(commit: () => void): void {
      const lost = losing;
      losing = undefined;
      if (lost !== "request") commit();
      if (lost) throw new Error(`the ${lost} was lost`);
    },
  };
}

// Shows the list anew whenever a message came or all were deleted; without this the page reloads by itself.
const source = new EventSource("/events");
source.addEventListener("changed", async () => {
  const answer = await fetch(location.href);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.getElementById("messages").replaceWith(page.getElementById("messages"));
});

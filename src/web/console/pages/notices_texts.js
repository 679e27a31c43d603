// Texts of the product notices.

export const PRODUCT_NOTICES = {
  title: "Unread notices",
  lead: "Messages about the product from the address below. Clients show users those that are for them.",
  none: "You have no unread notices.",
  off: "Notices are turned off for you by the settings below.",
  noSource: "The server fetches no notices, because no address is set below.",
  admins: "for system administrators",
  open: "Read more",
  read: "Mark as read",
  readAll: "Mark all as read",
  settings: "Settings",
};

//! Pages of lists.

/// The page of a list that a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paging {
    pub(crate) page: usize,
    pub(crate) per_page: usize,
}

impl Paging {
    pub(crate) fn offset(self) -> i64 {
        i64::try_from(self.page.saturating_mul(self.per_page)).unwrap_or(i64::MAX)
    }

    pub(crate) fn limit(self) -> i64 {
        i64::try_from(self.per_page).unwrap_or(i64::MAX)
    }
}

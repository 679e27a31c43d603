//! The query of a request. It is parsed once, even if several parameters are read.

use std::rc::Rc;

use actix_web::web::Query;
use actix_web::{HttpMessage, HttpRequest};
use quarterdeck_actors::steps::{counted, walked};

/// The decoded names and values of all parameters, in order.
#[derive(Clone)]
pub(super) struct Pairs(Rc<Vec<(String, String)>>);

impl Pairs {
    /// Returns the parameters of `http`; none if the query is malformed.
    pub(super) fn of(http: &HttpRequest) -> Self {
        if let Some(parsed) = http.extensions().get::<Self>() {
            return parsed.clone();
        }
        let parsed = Self::parse(http.query_string());
        http.extensions_mut().insert(parsed.clone());
        parsed
    }

    fn parse(query: &str) -> Self {
        walked(query.len());
        if query.is_empty() {
            return Self(Rc::default());
        }
        Self(Query::<Vec<(String, String)>>::from_query(query).map(Query::into_inner).unwrap_or_default().into())
    }

    /// Returns the values of the parameter `name`, in order.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        counted(self.0.iter()).filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use quarterdeck_actors::steps::assert_linear;

    use super::*;

    #[test]
    fn the_values_of_a_parameter_are_decoded_and_in_order_and_parsed_once() {
        let http = TestRequest::with_uri("/?one=%41&two=&one=b+c").to_http_request();
        let pairs = Pairs::of(&http);
        assert_eq!(pairs.values("one").collect::<Vec<_>>(), ["A", "b c"]);
        assert_eq!(pairs.values("two").collect::<Vec<_>>(), [""]);
        assert_eq!(pairs.values("three").count(), 0);
        assert!(Rc::ptr_eq(&pairs.0, &Pairs::of(&http).0));
    }

    /// Makes a query of about the given number of parameters.
    type Shape = fn(usize) -> String;

    #[test]
    fn a_query_of_many_parameters_is_read_in_steps_that_grow_as_it_does() {
        let shapes: [(&str, Shape); 4] = [
            ("different parameters", |size| (0..size).map(|at| format!("p{at}=1&")).collect::<Vec<_>>().concat()),
            ("equal parameters", |size| "p=1&".repeat(size)),
            ("separators", |size| "&".repeat(size)),
            ("percent signs", |size| format!("p=1&{}", "%".repeat(size))),
        ];
        for (shape, query) in shapes {
            assert_linear(shape, 1_000, |size| {
                let pairs = Pairs::parse(&query(size));
                drop(pairs.values("p").map(str::to_owned).collect::<Vec<_>>());
                for name in ["one", "two", "three"] {
                    assert_eq!(pairs.values(name).count(), 0);
                }
            });
        }
    }
}

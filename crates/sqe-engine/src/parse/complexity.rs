//! Bounds on chains such as `a OR b OR c` and `.. UNION ALL .. UNION ALL ..`.
//!
//! A chain becomes a tree as deep as it is long, and trees are walked recursively: one that is long
//! enough would end the process by its stack. Nesting in parentheses is bounded by the parser.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::{Error, ErrorKind, Location, Result};

/// The longest chain of AND and OR, of arithmetic, and of set operations.
const MAX_LOGICAL: usize = 4000;
const MAX_ARITHMETIC: usize = 500;
const MAX_SET_OPERATIONS: usize = 500;

/// The chains at one level of parentheses.
#[derive(Default)]
struct Chains {
    logical: usize,
    arithmetic: usize,
    set_operations: usize,
}

/// Fails at the operator that makes a chain too long.
pub(super) fn check(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut levels = vec![Chains::default()];
    let mut after_operand = false;
    for TokenWithSpan { token, span } in tokens {
        let Some(chains) = levels.last_mut() else { return Ok(()) };
        let mut operand = false;
        let (what, length, limit) = match token {
            Token::Whitespace(_) => continue,
            Token::LParen | Token::LBracket | Token::LBrace => {
                levels.push(Chains::default());
                after_operand = false;
                continue;
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                if levels.len() > 1 {
                    levels.pop();
                }
                after_operand = true;
                continue;
            }
            Token::Comma => {
                (chains.logical, chains.arithmetic) = (0, 0);
                ("", 0, 1)
            }
            Token::Word(word) if word.quote_style.is_none() => match word.keyword {
                Keyword::AND | Keyword::OR => {
                    chains.logical += 1;
                    chains.arithmetic = 0;
                    ("AND and OR", chains.logical, MAX_LOGICAL)
                }
                Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT => {
                    (chains.logical, chains.arithmetic) = (0, 0);
                    chains.set_operations += 1;
                    ("set operations", chains.set_operations, MAX_SET_OPERATIONS)
                }
                _ => {
                    operand = true;
                    ("", 0, 1)
                }
            },
            Token::Word(_) | Token::Number(..) | Token::SingleQuotedString(_) => {
                operand = true;
                ("", 0, 1)
            }
            // A sign is no operator of a chain.
            _ if !after_operand => ("", 0, 1),
            Token::Period | Token::Colon | Token::DoubleColon | Token::SemiColon => ("", 0, 1),
            _ => {
                chains.arithmetic += 1;
                ("operators", chains.arithmetic, MAX_ARITHMETIC)
            }
        };
        after_operand = operand;
        if length > limit {
            let message = format!("more than {limit} {what} in a row");
            let place = Location { line: span.start.line, column: span.start.column };
            return Err(Error::new(ErrorKind::InvalidStatement, message)
                .at(place)
                .with_hint("use an IN list, VALUES or a table instead"));
        }
    }
    Ok(())
}
